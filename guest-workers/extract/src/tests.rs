use worker_kit::{MemoryFiles, Parameter, TaskLimits};

use super::*;

fn task(parameters: &[(&str, &str)]) -> Task {
    Task {
        id: "t".to_owned(),
        recipe: "refresh-file".to_owned(),
        parameters: parameters
            .iter()
            .map(|(key, value)| Parameter { key: (*key).to_owned(), value: (*value).to_owned() })
            .collect(),
        scope: Vec::new(),
        base: "5b1c000000000000000000000000000000000000".to_owned(),
        limits: TaskLimits {
            files_max: 10,
            output_bytes_max: 1 << 20,
            workspace_bytes_max: 1 << 20,
            workspace_calls_max: 100,
        },
    }
}

fn answer(body: &'static [u8]) -> impl Fn(&str) -> Result<Vec<u8>, Failure> {
    move |_| Ok(body.to_vec())
}

#[test]
fn a_file_becomes_what_stands_elsewhere() {
    let files = MemoryFiles::new([("list.txt", "one\n")]);
    let task = task(&[("path", "list.txt"), ("url", "https://a.example/list.txt")]);
    let proposal = propose(&task, &files, &answer(b"one\r\ntwo\r\n")).unwrap();
    assert_eq!(proposal.patch.files[0].hunks, ["@@ -1 +1,2 @@\n one\n+two\n"]);
    let same = propose(&task, &files, &answer(b"one\n")).unwrap_err();
    assert_eq!(same.kind, FailureKind::NothingToDo);
    for odd in [&b"\xff\xfe"[..], b"a\0b", b" \n"] {
        assert_eq!(propose(&task, &files, &|_| Ok(odd.to_vec())).unwrap_err().kind, FailureKind::Unsupported);
    }
}

#[test]
fn it_asks_before_it_reads() {
    let refuse = |_: &str| Err(failure(FailureKind::Unsupported, "refused"));
    let missing = task(&[("path", "../outside"), ("url", "https://a.example/")]);
    assert_eq!(propose(&missing, &MemoryFiles::new([]), &refuse).unwrap_err().message, "refused");
    let without = task(&[("path", "list.txt")]);
    assert_eq!(
        propose(&without, &MemoryFiles::new([]), &refuse).unwrap_err().kind,
        FailureKind::BadParameter
    );
}

use super::*;
use crate::trial::Sandpit;

fn move_and_look(pit: &Sandpit, old: &Oid, new: &Oid) -> Result<Checkout, CheckoutError> {
    let repo = pit.open();
    let main = RefName::branch("main").unwrap();
    let steps = plan(&repo, &main, old, new)?;
    pit.git(&["update-ref", "refs/heads/main", new.as_str()]);
    Ok(carry_out(steps))
}

#[test]
fn kinds_of_entries_change_into_each_other() {
    let pit = Sandpit::seeded();
    let old = pit.oid("HEAD");
    for name in ["README.md", "run.sh"] {
        std::fs::remove_file(pit.work().join(name)).unwrap();
    }
    std::fs::remove_dir_all(pit.work().join("docs")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", pit.work().join("README.md")).unwrap();
    pit.write("docs", "a file now\n");
    pit.write("run.sh/inner", "a folder now\n");
    let new = pit.commit("types");
    pit.git(&["reset", "-q", "--hard", old.as_str()]);
    move_and_look(&pit, &old, &new).unwrap();
    assert_eq!(pit.git(&["status", "--porcelain"]), "");
    assert_eq!(std::fs::read_link(pit.work().join("README.md")).unwrap(), Path::new("/etc/passwd"));
    move_and_look(&pit, &new, &old).unwrap();
    assert_eq!(pit.git(&["status", "--porcelain"]), "");
    assert_eq!(pit.read("docs/a.md").as_deref(), Some("one\ntwo\nthree\n"));
}

#[test]
fn a_folder_that_holds_untracked_files_does_not_give_way_to_a_file() {
    let pit = Sandpit::seeded();
    let old = pit.oid("HEAD");
    std::fs::remove_dir_all(pit.work().join("docs")).unwrap();
    pit.write("docs", "a file now\n");
    let new = pit.commit("types");
    pit.git(&["reset", "-q", "--hard", old.as_str()]);
    pit.write("docs/mine.txt", "precious");
    let error = move_and_look(&pit, &old, &new).unwrap_err();
    assert_eq!(error.code(), "AB0344");
    assert_eq!(pit.read("docs/mine.txt").as_deref(), Some("precious"));
}

#[test]
fn names_that_are_not_utf8_and_executables_survive() {
    let pit = Sandpit::seeded();
    let old = pit.oid("HEAD");
    let odd = super::super::names::on_disk(b"caf\xe9/\xff.txt");
    std::fs::create_dir_all(pit.work().join(&odd).parent().unwrap()).unwrap();
    std::fs::write(pit.work().join(&odd), "x").unwrap();
    pit.git(&["add", "-A"]);
    pit.git(&["update-index", "--chmod=+x", "README.md"]);
    pit.git(&["commit", "-q", "-m", "odd"]);
    let new = pit.oid("HEAD");
    pit.git(&["reset", "-q", "--hard", old.as_str()]);
    move_and_look(&pit, &old, &new).unwrap();
    assert_eq!(pit.git(&["status", "--porcelain"]), "");
    assert!(pit.work().join(odd).exists());
}

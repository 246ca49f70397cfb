use std::sync::Mutex;

use super::*;
use crate::workspace::EntryKind;

/// A file of six letters, and an exit that remembers.
#[derive(Debug, Default)]
struct Both(Mutex<Vec<String>>);

impl Workspace for Both {
    fn list(&self, _: &str, _: Option<&str>, _: u32) -> Result<Listing, WorkspaceError> {
        let path: RepoPath = "a/b".parse().unwrap();
        Ok(Listing { entries: vec![Entry { path, kind: EntryKind::File, bytes: 6 }], truncated: false })
    }
    fn entry(&self, _: &RepoPath) -> Result<Option<Entry>, WorkspaceError> {
        Ok(None)
    }
    fn read(&self, path: &RepoPath, offset: u64, limit: u32) -> Result<Vec<u8>, WorkspaceError> {
        let file: &[u8] =
            if path.as_str() == "a/b" { b"secret" } else { return Err(WorkspaceError::NotFound) };
        Ok(file
            .iter()
            .skip(usize::try_from(offset).unwrap())
            .take(usize::try_from(limit).unwrap())
            .copied()
            .collect())
    }
    fn search(&self, _: &str, _: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        Ok(SearchResult { matches: vec![], truncated: false })
    }
}

impl Egress for Both {
    fn fetch(&self, _: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        NoEgress.fetch(EgressRequest {
            method: String::new(),
            url: String::new(),
            fields: vec![],
            body: ByteBuf::new(),
        })
    }
    fn has_read(&self, content: &[u8]) {
        self.0.lock().unwrap().push(String::from_utf8_lossy(content).into_owned());
    }
}

#[test]
fn whoever_reads_a_letter_has_read_the_file() {
    let both = Both::default();
    let told = Told { workspace: &both, egress: &both };
    assert_eq!(told.read(&"a/b".parse().unwrap(), 2, 1).unwrap(), b"c");
    assert_eq!(*both.0.lock().unwrap(), ["a/b", "secret"]);
    told.list("", None, 10).unwrap();
    assert_eq!(both.0.lock().unwrap().last().unwrap(), "a/b");
    // Also who learns that there is none, or that nothing was found.
    assert_eq!(told.read(&"c".parse().unwrap(), 0, 1), Err(WorkspaceError::NotFound));
    let options = SearchOptions {
        prefix: String::new(),
        suffixes: vec![],
        ignore_case: false,
        whole_word: false,
        limit: 1,
    };
    told.search("x", &options).unwrap();
    assert_eq!(both.0.lock().unwrap().len(), 5);
}

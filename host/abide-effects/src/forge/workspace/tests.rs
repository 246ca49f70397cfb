use super::*;
use crate::trial::Sandpit;

const LIMITS: WorkspaceLimits =
    WorkspaceLimits { files_max: 100, bytes_max: 1 << 20, file_bytes_max: 1 << 19 };

fn write_out(pit: &Sandpit, links: Links, limits: WorkspaceLimits) -> Result<Workspace, WorkspaceError> {
    Workspace::of_commit(&pit.open(), &pit.oid("HEAD"), &pit.spare(), links, limits)
}

#[test]
fn files_are_written_raw_whatever_the_attributes_say() {
    let pit = Sandpit::seeded();
    pit.write(".gitattributes", "*.md text eol=crlf\n*.txt ident filter=lfs export-subst export-ignore\n");
    pit.write("id.txt", "$Id$ $Format:%H$\n");
    pit.commit("attributes");
    let workspace = write_out(&pit, Links::AsLinks, LIMITS).unwrap();
    assert_eq!(std::fs::read(workspace.path().join("docs/a.md")).unwrap(), b"one\ntwo\nthree\n");
    assert_eq!(std::fs::read(workspace.path().join("id.txt")).unwrap(), b"$Id$ $Format:%H$\n");
    let mode = |name: &str| {
        std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(workspace.path().join(name)).unwrap()) & 0o777
    };
    assert_eq!((mode("run.sh"), mode("README.md")), (0o755, 0o644));
    assert!(workspace.dir().unwrap().read("docs/a.md").is_ok());
    let path = workspace.path().to_owned();
    drop(workspace);
    assert!(!path.exists(), "the guard removes it");
}

#[test]
fn links_become_what_the_reader_can_bear() {
    let pit = Sandpit::seeded();
    std::os::unix::fs::symlink("/etc/passwd", pit.work().join("out")).unwrap();
    std::os::unix::fs::symlink("docs/a.md", pit.work().join("in")).unwrap();
    pit.commit("links");
    let links = write_out(&pit, Links::AsLinks, LIMITS).unwrap();
    assert_eq!(std::fs::read_link(links.path().join("out")).unwrap(), Path::new("/etc/passwd"));
    assert!(links.dir().unwrap().read("out").is_err(), "the folder's authority does not lead out");
    assert_eq!(links.dir().unwrap().read("in").unwrap(), b"one\ntwo\nthree\n");
    let files = write_out(&pit, Links::AsFiles, LIMITS).unwrap();
    assert_eq!(std::fs::read(files.path().join("out")).unwrap(), b"/etc/passwd");
    assert!(std::fs::symlink_metadata(files.path().join("out")).unwrap().is_file());
    assert_eq!(write_out(&pit, Links::Inside, LIMITS).unwrap_err().code(), "AB0352");
}

#[test]
fn links_that_may_leave_are_told_from_those_that_cannot() {
    for (path, target, out) in [
        ("a", "b", false),
        ("a", "./b/c", false),
        ("d/a", "../b", false),
        ("a", "../b", true),
        ("d/a", "../../b", true),
        ("a", "/etc", true),
        ("a", "", true),
        ("a", "b/../c", true),
        ("d/a", "..", false),
    ] {
        assert_eq!(leads_out(path.as_bytes(), target.as_bytes()), out, "{path} -> {target}");
    }
}

#[test]
fn submodules_are_empty_folders_and_limits_hold() {
    let pit = Sandpit::seeded();
    let head = pit.oid("HEAD");
    pit.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},vendor")]);
    pit.git(&["commit", "-q", "-m", "submodule"]);
    let workspace = write_out(&pit, Links::AsLinks, LIMITS).unwrap();
    assert_eq!(std::fs::read_dir(workspace.path().join("vendor")).unwrap().count(), 0);
    let few = WorkspaceLimits { files_max: 2, ..LIMITS };
    let small = WorkspaceLimits { bytes_max: 10, ..LIMITS };
    let tiny = WorkspaceLimits { file_bytes_max: 10, ..LIMITS };
    let codes = [few, small, tiny].map(|limits| write_out(&pit, Links::AsLinks, limits).unwrap_err().code());
    assert_eq!(codes, ["AB0351", "AB0351", "AB0324"]);
    assert_eq!(std::fs::read_dir(pit.spare()).unwrap().count(), 1, "a refused workspace leaves nothing");
}

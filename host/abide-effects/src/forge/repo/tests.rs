use super::*;
use crate::trial::{Sandpit, at_most, repo_id};

fn code(path: &Path) -> &'static str {
    Repo::open(path, repo_id()).unwrap_err().code()
}

#[test]
fn what_is_not_a_repository_is_said_to_be_none() {
    let pit = Sandpit::seeded();
    assert_eq!(code(&pit.spare()), "AB0311");
    assert_eq!(code(Path::new("/nonexistent")), "AB0311");
    assert_eq!(code(&pit.work().join("docs")), "AB0311", "only the top folder counts");
    assert_eq!(Repo::discover(&pit.work().join("docs")), Some(pit.work()));
}

#[test]
fn formats_that_libgit2_cannot_read_are_named() {
    let sha256 = Sandpit::new(&["--object-format=sha256"]);
    let error = Repo::open(&sha256.work(), repo_id()).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("sha256")), ("AB0313", true), "{error}");
    let reftable = Sandpit::new(&["--ref-format=reftable"]);
    let error = Repo::open(&reftable.work(), repo_id()).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("reftable")), ("AB0314", true), "{error}");
    let odd = Sandpit::seeded();
    odd.git(&["config", "core.repositoryformatversion", "1"]);
    std::fs::write(
        odd.work().join(".git/config"),
        "[core]\nrepositoryformatversion = 1\nbare = false\n[extensions]\nodd\n",
    )
    .unwrap();
    assert_eq!(code(&odd.work()), "AB0319");
}

#[test]
fn a_repository_without_commits_opens_but_has_no_branch() {
    let pit = Sandpit::new(&[]);
    let repo = pit.open();
    let main = RefName::branch("main").unwrap();
    assert_eq!(repo.head_branch().unwrap(), Some(main.clone()));
    assert_eq!(repo.branch(&main).unwrap_err().code(), "AB0312");
}

#[test]
fn a_missing_branch_names_those_that_exist() {
    let pit = Sandpit::seeded();
    let error = pit.open().branch(&RefName::branch("trunk").unwrap()).unwrap_err();
    assert_eq!(error.code(), "AB0315");
    assert_eq!(error.to_string(), "there is no branch `trunk` (there are: main)");
}

#[test]
fn a_branch_that_is_an_alias_is_refused() {
    let pit = Sandpit::seeded();
    pit.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    assert_eq!(pit.open().branch(&RefName::branch("alias").unwrap()).unwrap_err().code(), "AB0315");
}

#[test]
fn shallow_and_partial_clones_are_refused() {
    let pit = Sandpit::seeded();
    pit.write("more", "more");
    pit.commit("second");
    let url = format!("file://{}", pit.work().display());
    assert!(pit.git_in(".", &["clone", "-q", "--depth=1", &url, "shallow"]).ok);
    assert_eq!(code(&pit.root().join("shallow")), "AB0316");
    pit.git(&["config", "uploadpack.allowFilter", "true"]);
    assert!(pit.git_in(".", &["clone", "-q", "--filter=blob:none", &url, "partial"]).ok);
    assert_eq!(code(&pit.root().join("partial")), "AB0317");
}

#[test]
fn a_configuration_that_leads_elsewhere_is_refused() {
    let pit = Sandpit::seeded();
    pit.git(&["config", "core.worktree", "/"]);
    assert_eq!(code(&pit.work()), "AB0320");
    pit.git_in(".", &["-C", "work/.git", "config", "--unset", "core.worktree"]);
    let first = pit.oid("HEAD");
    std::fs::create_dir_all(pit.work().join(".git/info")).unwrap();
    std::fs::write(pit.work().join(".git/info/grafts"), format!("{first}\n")).unwrap();
    assert_eq!(code(&pit.work()), "AB0320");
}

#[test]
fn bare_linked_and_borrowing_repositories_open_with_notes() {
    let pit = Sandpit::seeded();
    assert!(pit.git_in(".", &["clone", "-q", "--bare", "--shared", "work", "bare.git"]).ok);
    let bare = Repo::open(&pit.root().join("bare.git"), repo_id()).unwrap();
    assert!(bare.work_dir().is_none());
    assert!(matches!(bare.notes(), [Note::Alternates(paths)] if paths.len() == 1), "{:?}", bare.notes());
    pit.git(&["worktree", "add", "-q", "-b", "side", "../linked"]);
    pit.git(&["config", "core.hooksPath", "/elsewhere"]);
    pit.git(&["replace", "HEAD:README.md", "HEAD:docs/a.md"]);
    let linked = Repo::open(&pit.root().join("linked"), repo_id()).unwrap();
    assert_eq!(
        linked.notes(),
        [Note::Replacements, Note::HooksPath("/elsewhere".to_owned()), Note::LinkedWorktree]
    );
    assert_eq!(linked.head_branch().unwrap(), Some(RefName::branch("side").unwrap()));
    assert_eq!(
        std::fs::canonicalize(linked.common_dir()).unwrap(),
        std::fs::canonicalize(pit.work().join(".git")).unwrap()
    );
}

#[test]
fn hostile_configuration_runs_nothing() {
    let pit = Sandpit::seeded();
    let mark = pit.root().join("ran");
    let run = format!("touch {}", mark.display());
    for (key, value) in [
        ("core.fsmonitor", run.as_str()),
        ("core.sshCommand", &run),
        ("filter.evil.smudge", &run),
        ("filter.evil.clean", &run),
        ("filter.evil.process", &run),
        ("merge.evil.driver", &run),
        ("diff.evil.textconv", &run),
        ("core.pager", &run),
        ("core.editor", &run),
        ("gpg.program", &run),
        ("commit.gpgSign", "true"),
    ] {
        pit.git(&["config", key, value]);
    }
    std::fs::write(pit.work().join(".gitattributes"), "* filter=evil merge=evil diff=evil\n").unwrap();
    let hooks = pit.work().join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for name in ["post-checkout", "reference-transaction", "pre-commit", "post-index-change"] {
        std::fs::write(hooks.join(name), format!("#!/bin/sh\n{run}\n")).unwrap();
        std::fs::set_permissions(hooks.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    }
    let repo = pit.open();
    let main = repo.branch(&RefName::branch("main").unwrap()).unwrap();
    let commit = repo.commit(&main).unwrap();
    repo.delta(&Oid::zero(), &commit.tree, &at_most(1 << 20)).unwrap();
    let limits =
        super::super::WorkspaceLimits { files_max: 100, bytes_max: 1 << 20, file_bytes_max: 1 << 20 };
    drop(
        super::super::Workspace::of_commit(&repo, &main, &pit.spare(), super::super::Links::AsLinks, limits)
            .unwrap(),
    );
    assert!(!mark.exists(), "a configured program ran");
}

#[test]
fn a_repository_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let pit = Sandpit::seeded();
    for path in [pit.work(), pit.work().join(".git")] {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    assert_eq!(code(&pit.work()), "AB0318");
}

use super::*;
use crate::hook::trial::Guarded;

fn hook(guarded: &Guarded, name: &str) -> PathBuf {
    guarded.bare().join("hooks").join(name)
}

#[test]
fn hooks_are_installed_brought_up_to_date_and_removed() {
    let guarded = Guarded::new("git");
    let text = std::fs::read_to_string(hook(&guarded, "update")).unwrap();
    std::fs::write(hook(&guarded, "update"), text.replace("AB0302", "old")).unwrap();
    let installed = install(&guarded.bare(), &guarded.ab(), &guarded.state()).unwrap();
    assert_eq!(std::fs::read_to_string(hook(&guarded, "update")).unwrap(), text);
    assert_eq!(installed.hooks.len(), 2);
    assert!(installed.notes.iter().any(|note| note.contains("belongs to you")), "{:?}", installed.notes);
    let config = guarded.pit.git_in("bare.git", &["config", "--get", "receive.denyNonFastForwards"]).out;
    assert_eq!(config, "true\n");
    uninstall(&guarded.bare()).unwrap();
    uninstall(&guarded.bare()).unwrap();
    assert!(guarded.type_in("work", "$G push $B HEAD:main").ok, "no longer guarded");
}

#[test]
fn somebody_elses_hooks_are_left_alone() {
    let guarded = Guarded::new("git");
    std::fs::write(hook(&guarded, "update"), "#!/bin/sh\nexit 0\n").unwrap();
    assert_eq!(install(&guarded.bare(), &guarded.ab(), &guarded.state()).unwrap_err().code(), "AB0306");
    assert_eq!(uninstall(&guarded.bare()).unwrap_err().code(), "AB0306");
    std::fs::remove_file(hook(&guarded, "update")).unwrap();
    std::os::unix::fs::symlink(hook(&guarded, "reference-transaction"), hook(&guarded, "update")).unwrap();
    assert_eq!(
        install(&guarded.bare(), &guarded.ab(), &guarded.state()).unwrap_err().code(),
        "AB0306",
        "a link is not ours"
    );
}

#[test]
fn what_could_not_work_is_not_installed() {
    let guarded = Guarded::new("git");
    let state = guarded.state();
    let code = |git_dir: &Path, ab: &Path| install(git_dir, ab, &state).unwrap_err().code();
    assert_eq!(code(&guarded.pit.work(), &guarded.ab()), "AB0308");
    assert_eq!(code(&guarded.bare(), Path::new("ab")), "AB0309", "a relative path");
    assert_eq!(code(&guarded.bare(), &guarded.bare().join("config")), "AB0309", "not a program");
    assert_eq!(code(&guarded.pit.root().join("none"), &guarded.ab()), "AB0311");
    assert!(guarded.pit.git_in("bare.git", &["config", "core.hooksPath", "/elsewhere"]).ok);
    assert_eq!(code(&guarded.bare(), &guarded.ab()), "AB0307");
    assert!(matches!(quoted(Path::new("a\nb")), Err(HookError::Path(_))));
    assert_eq!(quoted(Path::new("it's $HOME")).unwrap(), r"'it'\''s $HOME'");
}

#[test]
fn a_hook_that_cannot_ask_refuses() {
    type Spoil = fn(&Guarded);
    let spoil: [(&str, Spoil); 5] = [
        ("ab is gone", |guarded| std::fs::remove_file(guarded.ab()).unwrap()),
        ("ab crashes", |guarded| std::fs::write(guarded.ab(), "#!/bin/sh\nkill -SEGV $$\n").unwrap()),
        ("ab ends with another status", |guarded| {
            std::fs::write(guarded.ab(), "#!/bin/sh\nexit 6\n").unwrap();
        }),
        ("ab is not a program", |guarded| std::fs::write(guarded.ab(), b"\x7fELF garbage").unwrap()),
        ("the records cannot be read", |guarded| {
            std::fs::remove_file(guarded.state().join("records")).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        let guarded = Guarded::new("git");
        let before = guarded.refs();
        spoil(&guarded);
        for (folder, line) in
            [("work", "$G push $B HEAD:main"), ("bare.git", "$G update-ref refs/heads/main HEAD~1")]
        {
            let said = guarded.type_in(folder, line);
            assert!(!said.ok && said.err.contains("[AB0302]"), "{what}: {}{}", said.out, said.err);
            assert_eq!(guarded.refs(), before, "{what}");
        }
    }
}

#[test]
fn a_repository_that_was_moved_refuses_until_hooks_are_installed_again() {
    let guarded = Guarded::new("git");
    let moved = guarded.pit.root().join("moved.git");
    std::fs::rename(guarded.bare(), &moved).unwrap();
    let said = guarded.pit.git_in("work", &["push", "../moved.git", "HEAD:main"]);
    assert!(!said.ok && said.err.contains("not where its hooks were installed"), "{}", said.err);
    install(&moved, &guarded.ab(), &guarded.state()).unwrap();
    let said = guarded.pit.git_in("work", &["push", "../moved.git", "HEAD:main"]);
    assert!(!said.ok && said.err.contains("[AB0420]"), "{}", said.err);
}

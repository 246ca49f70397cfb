use super::*;

fn path_check(path: &str, ok: bool) {
    assert_eq!(path.parse::<RepoPath>().is_ok(), ok, "{path:?}");
}

#[test]
fn a_path_stays_inside_the_repository() {
    for good in
        ["a", "src/lib.rs", ".github/workflows/ci.yml", "..a/b", "a/...", ".gitignore", "x.git/y", "é/ü"]
    {
        path_check(good, true);
    }
    for bad in [
        "",
        "/a",
        "a//b",
        "a/",
        "./a",
        "a/../b",
        "..",
        ".git/config",
        "a/.GIT/x",
        ".git /x",
        ".git./x",
        "git~1/x",
        "GIT~1",
        ".g\u{200c}it/config",
        ".git::$INDEX_ALLOCATION/x",
        "a\\b",
        "C:/x",
        "a\0b",
        "a\nb",
    ] {
        path_check(bad, false);
    }
    path_check(&"a".repeat(4097), false);
}

#[test]
fn a_reference_is_a_full_name() {
    for good in ["refs/heads/main", "refs/heads/ab/01J/u1", "refs/tags/v1.0", "refs/replace/aa"] {
        assert!(good.parse::<RefName>().is_ok(), "{good}");
    }
    for bad in [
        "main",
        "HEAD",
        "refs/heads/a..b",
        "refs/heads/x.lock",
        "refs/heads/",
        "refs/heads/a b",
        "refs/heads/@{u}",
        "refs/.h",
    ] {
        assert!(bad.parse::<RefName>().is_err(), "{bad}");
    }
}

#[test]
fn identifiers_refuse_their_look_alikes() {
    assert!("01ARZ3NDEKTSV4RRFFQ69G5FAV".parse::<RunId>().is_ok());
    assert!("01arz3ndektsv4rrffq69g5fav".parse::<RunId>().is_err());
    assert!("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709".parse::<Oid>().is_err());
    assert!("da39a3ee5e6b4b0d3255bfef95601890afd80709".parse::<Oid>().is_ok());
    assert_eq!(
        Digest::of(b"").as_str(),
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert!(Oid::zero().is_zero());
}

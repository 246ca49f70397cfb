use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::home::Registered;

fn vault() -> (tempfile::TempDir, FileVault) {
    let folder = tempfile::tempdir().unwrap();
    let repository = Registered {
        id: "demo".parse().unwrap(),
        git_dir: folder.path().to_owned(),
        target: abide_core::id::RefName::branch("main").unwrap(),
    };
    let state = State { folder: folder.path().to_owned(), repository };
    (folder, FileVault::of(&state))
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

#[test]
fn a_secret_is_kept_sealed_and_for_nobody_else() {
    let (folder, vault) = vault();
    assert!(vault.list().unwrap().is_empty());
    assert!(!vault.set("token", &secret("hunter2-hunter2")).unwrap());
    assert_eq!(vault.open("token").unwrap().expose(), b"hunter2-hunter2");
    for file in [FILE, KEY] {
        let path = folder.path().join(file);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("hunter2"));
    }
    assert!(vault.set("token", &secret("other")).unwrap(), "it takes the place of the one before");
    assert_eq!(vault.open("token").unwrap().expose(), b"other");
    vault.remove("token").unwrap();
    assert_eq!(vault.open("token").unwrap_err().to_string(), "there is no secret of that name");
    assert_eq!(vault.remove("token").unwrap_err().code, "AB0921");
}

#[test]
fn what_was_changed_opens_nothing() {
    let (folder, vault) = vault();
    vault.set("one", &secret("first")).unwrap();
    vault.set("two", &secret("second")).unwrap();
    let file = folder.path().join(FILE);
    // One under the other's name.
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("\"one\"", "\"tmp\"")
        .replace("\"two\"", "\"one\"")
        .replace("\"tmp\"", "\"two\"");
    fs::write(&file, &text).unwrap();
    assert!(vault.open("one").is_err() && vault.open("two").is_err());
    // Another key.
    let (other, fresh) = self::vault();
    fs::copy(&file, other.path().join(FILE)).unwrap();
    assert!(fresh.open("one").is_err());
    fs::write(&file, "{}").unwrap();
    assert_eq!(vault.list().unwrap_err().code, "AB0922");
}

#[test]
fn names_and_sizes_are_checked() {
    let (_folder, vault) = vault();
    for name in ["", "Token", "a b", "../x", "-x", &"x".repeat(65)] {
        assert_eq!(vault.set(name, &secret("x")).unwrap_err().code, "AB0920", "{name}");
    }
    assert_eq!(vault.set("x", &secret("")).unwrap_err().code, "AB0920");
    assert_eq!(vault.set("x", &Secret::new(vec![0; SECRET_BYTES_MAX + 1])).unwrap_err().code, "AB0920");
    vault.set_variable("ci", "ABIDE_NO_SUCH_VARIABLE").unwrap();
    assert!(vault.open("ci").unwrap_err().to_string().contains("is not set"));
}

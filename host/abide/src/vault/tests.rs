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

fn errand() -> Errand {
    Errand {
        run: "01M7ZWDKJ5MRQZMSXVBRFME8MD".parse().unwrap(),
        unit: "u1".to_owned(),
        component: abide_core::id::Digest::of(b"component"),
        decision: 7,
        origin: "https://docs.example.org:443".to_owned(),
        lease_ms_max: 1_000,
    }
}

#[test]
fn a_secret_is_kept_sealed_and_for_nobody_else() {
    let (folder, vault) = vault();
    assert!(vault.list().unwrap().is_empty());
    assert!(!vault.set("token", &secret("hunter2-hunter2")).unwrap());
    assert_eq!(vault.open("token", &errand()).unwrap().expose(), b"hunter2-hunter2");
    for file in [FILE, KEY] {
        let path = folder.path().join(file);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("hunter2"));
    }
    assert!(vault.set("token", &secret("other")).unwrap(), "it takes the place of the one before");
    assert_eq!(vault.open("token", &errand()).unwrap().expose(), b"other");
    vault.remove("token").unwrap();
    assert_eq!(vault.open("token", &errand()).unwrap_err().to_string(), "there is no secret of that name");
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
    assert!(vault.open("one", &errand()).is_err() && vault.open("two", &errand()).is_err());
    // Another key.
    let (other, fresh) = self::vault();
    fs::copy(&file, other.path().join(FILE)).unwrap();
    assert!(fresh.open("one", &errand()).is_err());
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
    assert!(vault.open("ci", &errand()).unwrap_err().to_string().contains("is not set"));
}

#[test]
fn a_helper_is_asked_once_for_each_errand_and_told_what_for() {
    let (folder, vault) = vault();
    let heard = folder.path().join("heard");
    let script = format!("cat >> {0}; wc -l < {0} | tr -d ' ' | sed 's/^/minted-/'", heard.display());
    let shell = |script: &str| ["/bin/sh", "-c", script].map(str::to_owned);
    vault.set_helper("mint", &shell(&script)).unwrap();
    let other = Errand { origin: "https://other.example.org:443".to_owned(), ..errand() };
    assert_eq!(vault.open("mint", &errand()).unwrap().expose(), b"minted-1");
    assert_eq!(vault.open("mint", &errand()).unwrap().expose(), b"minted-1", "once");
    assert_eq!(vault.open("mint", &other).unwrap().expose(), b"minted-2", "another place, another token");
    let first: serde_json::Value =
        serde_json::from_str(fs::read_to_string(&heard).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["secret"], &first["unit"], &first["decision"]),
        (&"mint".into(), &"u1".into(), &7.into())
    );
    assert_eq!(first["origin"], "https://docs.example.org:443");
    assert!(!format!("{vault:?}").contains("minted-"), "{vault:?}");

    let why = |script: &str| {
        vault.set_helper("mint", &shell(script)).unwrap();
        FileVault { minted: Arc::default(), ..vault.clone() }.open("mint", &errand()).unwrap_err().to_string()
    };
    assert_eq!(why("echo no >&2; exit 3"), "its helper ended with exit status: 3");
    assert_eq!(why("echo"), "its helper gave 0 bytes");
    assert_eq!(why("head -c 20000 /dev/zero; true"), "its helper gave 16384 bytes");
    assert_eq!(vault.set_helper("mint", &["mint".to_owned()]).unwrap_err().code, "AB0920");
    vault.set_helper("mint", &["/no/such/helper".to_owned()]).unwrap();
    let gone = FileVault { minted: Arc::default(), ..vault.clone() }.open("mint", &errand()).unwrap_err();
    assert!(gone.to_string().contains("could not be started"), "{gone}");
}

#[test]
fn a_helper_that_does_not_answer_ends_with_all_that_it_started() {
    let argv = ["/bin/sh", "-c", "sleep 600 & sleep 600"].map(str::to_owned);
    let helper = Helper {
        argv: &argv,
        environment: &[("PATH", "/usr/bin:/bin".to_owned())],
        patience: Duration::from_millis(300),
    };
    let why = helper.ask("mint", &errand()).unwrap_err();
    assert!(why.to_string().contains("did not answer"), "{why}");
}

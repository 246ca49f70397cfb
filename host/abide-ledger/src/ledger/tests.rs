use serde_json::json;

use super::*;
use crate::merkle::{verify_consistency, verify_inclusion};
use crate::testing::{event, ledger};

fn note(n: u64) -> Draft {
    event(None, "Noted", n, json!({ "n": n.to_string() }))
}

#[test]
fn a_ledger_begins_by_naming_itself() {
    let (home, ledger) = ledger();
    let first = ledger.read(0..1).unwrap().remove(0);
    assert_eq!(
        (first.leaf.kind(), first.leaf.data()["origin"].as_str()),
        ("LogCreated", Some("example.org/log"))
    );
    let file = std::fs::read_to_string(home.path().join("state/log.vkey")).unwrap();
    assert_eq!(file.trim_end(), ledger.vkey().to_string());
    let again = Ledger::create(
        &home.path().join("state"),
        &[8; 32],
        "example.org/log",
        Timestamp(2),
        &Opening::STANDARD,
    );
    assert_eq!(again.unwrap_err().code(), "AB0407");
    assert_eq!(
        Ledger::create(home.path(), &[8; 32], "a b", Timestamp(2), &Opening::STANDARD).unwrap_err().code(),
        "AB0415"
    );
}

#[test]
fn the_key_is_for_the_owner_alone_and_must_be_the_right_one() {
    let (home, ledger) = ledger();
    let path = home.path().join("state/log.key");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    ledger.checkpoint().unwrap();
    ledger.append(vec![note(1)]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(ledger.checkpoint().unwrap_err().code(), "AB0414");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, NoteKey::from_seed("example.org/log".parse().unwrap(), &[9; 32]).to_secret())
        .unwrap();
    assert_eq!(ledger.checkpoint().unwrap_err().code(), "AB0414");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ledger.checkpoint().unwrap_err().code(), "AB0414");
}

#[test]
fn a_log_that_names_another_key_than_before_is_not_opened() {
    let (home, ledger) = ledger();
    drop(ledger);
    let other = NoteKey::from_seed("example.org/log".parse().unwrap(), &[9; 32]).vkey();
    std::fs::write(home.path().join("state/log.vkey"), format!("{other}\n")).unwrap();
    let opened = Ledger::open(&home.path().join("state"), &Opening::STANDARD);
    assert_eq!(opened.unwrap_err().code(), "AB0414");
}

#[test]
fn proofs_from_the_store_convince() {
    let (_home, ledger) = ledger();
    let mut roots = vec![(1, ledger.root().unwrap())];
    for n in 0..40 {
        ledger.append(vec![note(n)]).unwrap();
        roots.push((ledger.size().unwrap(), ledger.root().unwrap()));
    }
    let (size, root) = *roots.last().unwrap();
    for record in ledger.read(0..size).unwrap() {
        let proof = ledger.prove_inclusion(record.seq, size).unwrap().unwrap();
        assert_eq!(
            verify_inclusion(record.seq.0, size, &NodeHash::leaf(record.leaf.bytes()), &proof, &root),
            Ok(())
        );
    }
    for (old, old_root) in roots {
        let proof = ledger.prove_consistency(old, size).unwrap().unwrap();
        assert_eq!(verify_consistency(old, size, &proof, &old_root, &root), Ok(()));
    }
}

#[test]
fn a_mirror_of_tiles_and_entries_gives_the_same_root() {
    let (_home, ledger) = ledger();
    ledger.append((0..299).map(note).collect()).unwrap();
    let all = crate::merkle::tiles(300);
    let mut edge = crate::merkle::Frontier::default();
    for tile in all.iter().filter(|tile| tile.level == 0) {
        let (hashes, mut entries) = (ledger.tile(tile).unwrap(), ledger.entries(tile).unwrap());
        for hash in hashes.chunks(32) {
            let rest = entries.split_off(2);
            let length = usize::from(u16::from_be_bytes([entries[0], entries[1]]));
            assert_eq!(NodeHash::from_slice(hash), Some(NodeHash::leaf(&rest[..length])));
            edge.push(NodeHash::leaf(&rest[..length])).unwrap();
            entries = rest[length..].to_vec();
        }
        assert!(entries.is_empty());
    }
    assert_eq!(edge.root(), ledger.root().unwrap());
}

#[test]
fn a_size_is_signed_once_and_durably() {
    let (home, ledger) = ledger();
    let (checkpoint, signed) = ledger.checkpoint().unwrap();
    assert_eq!(Checkpoint::open(&signed, ledger.vkey()), Ok(checkpoint.clone()));
    assert_eq!(ledger.checkpoint().unwrap(), (checkpoint, signed));
    drop(ledger);
    let ledger = Ledger::open(&home.path().join("state"), &Opening::STANDARD).unwrap();
    assert_eq!(ledger.store().last_checkpoint().unwrap().unwrap().size, 1);
}

#[test]
fn an_anchor_that_is_ahead_or_of_another_history_stops_the_ledger() {
    let (home, ledger) = ledger();
    let (dir, copy, anchor) =
        (home.path().join("state"), home.path().join("copy"), home.path().join("anchor"));
    let opening = Opening { limits: Limits::STANDARD, anchor: Some(anchor.clone()) };
    drop(ledger);
    let ledger = Ledger::open(&dir, &opening).unwrap();
    ledger.append(vec![note(1)]).unwrap();
    drop(ledger);
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(&dir).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let ledger = Ledger::open(&dir, &opening).unwrap();
    ledger.append(vec![note(2)]).unwrap();
    ledger.checkpoint().unwrap();
    assert!(anchor.exists());
    drop(ledger);
    assert_eq!(Ledger::open(&copy, &opening).unwrap_err().code(), "AB0416");
    let fork = Ledger::open(&copy, &Opening::STANDARD).unwrap();
    fork.append(vec![note(99), note(98)]).unwrap();
    drop(fork);
    assert_eq!(Ledger::open(&copy, &opening).unwrap_err().code(), "AB0417");
    Ledger::open(&dir, &opening).unwrap();
    std::fs::write(&anchor, "nonsense").unwrap();
    assert_eq!(Ledger::open(&dir, &opening).unwrap_err().code(), "AB0417");
}

use cap_std::ambient_authority;

use super::*;

fn answer(body: &[u8]) -> Remembered {
    let fields = vec![("content-type".to_owned(), "text/html".to_owned())];
    Remembered { etag: Some("\"v1\"".to_owned()), modified: None, fields, body: body.to_vec() }
}

fn folder() -> (tempfile::TempDir, Dir) {
    let folder = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    (folder, dir)
}

#[test]
fn what_is_kept_is_recalled_and_what_is_damaged_is_not() {
    let (place, dir) = folder();
    let shelf = Folder::open(&dir, 10_000).unwrap();
    let key = Digest::of(b"https://a.example/");
    assert_eq!(shelf.recall(&key), None);
    shelf.keep(&key, &answer(b"text"));
    assert_eq!(shelf.recall(&key), Some(answer(b"text")));
    let body = place.path().join("bodies").join(name(&Digest::of(b"text")));
    std::fs::write(body, b"tampered").unwrap();
    assert_eq!(shelf.recall(&key), None);
}

#[test]
fn it_holds_no_more_than_it_may() {
    let (place, dir) = folder();
    let shelf = Folder::open(&dir, 10_000).unwrap();
    for number in 0..20_u8 {
        shelf.keep(&Digest::of(&[number]), &answer(&[number; 1_500]));
    }
    let lying: u64 = ["cards", "bodies"]
        .iter()
        .flat_map(|name| std::fs::read_dir(place.path().join(name)).unwrap())
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(lying <= 10_000, "{lying}");
    assert!(shelf.recall(&Digest::of(&[19])).is_some(), "the newest stays");
    assert!(shelf.recall(&Digest::of(&[0])).is_none(), "the oldest went");
    shelf.keep(&Digest::of(b"large"), &answer(&vec![0; 20_000]));
    assert!(shelf.recall(&Digest::of(b"large")).is_none());
    assert!(shelf.recall(&Digest::of(&[19])).is_some(), "what does not fit pushes nothing out");
}

use abide_core::facts::Meter;
use abide_core::facts::config::MeasureConfig;

use super::*;

const FILE: &str =
    "fn main() {\n    let answer = compute_the_answer(&question, 42);\n    println!(\"{answer}\");\n}\n";

pub(crate) fn meter() -> Meter {
    let globs = serde_json::json!({"globs": ["nothing"]});
    let config = MeasureConfig::from_data(&serde_json::json!({
        "zones": {"executes-on-build": globs},
        "categories": {"docs": globs, "tests": globs, "deps": globs},
        "secrets": [{"id": "github-token", "regex": "ghp_[A-Za-z0-9]{36}", "keywords": ["ghp_"]}],
        "text": {"line_chars_max": 200},
        "generated": {"globs": [], "markers": []},
    }))
    .unwrap();
    Meter::compile(&config).unwrap()
}

fn seen() -> Seen {
    let mut seen = Seen::default();
    seen.add(FILE.as_bytes());
    seen
}

#[test]
fn a_copy_is_found_in_whatever_it_is_wrapped() {
    let copy = "compute_the_answer(&question, 42);\n    println!(\"{answer}\")";
    let base64 = BASE64.encode(FILE);
    let url_safe = base64.replace('+', "-").replace('/', "_").replace('=', "");
    let hex = FILE.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02X}"));
    let escaped = copy.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02x}"));
    for carrier in [
        format!("see {copy} there"),
        copy.to_uppercase(),
        copy.replace(' ', "\t\r\n"),
        format!("data={base64}"),
        format!("x={url_safe}&y=1"),
        format!("{{\"hex\":\"{hex}\"}}"),
        escaped,
    ] {
        let found = search(&meter(), Some(&seen()), &[b"/ok", carrier.as_bytes()]);
        assert_eq!(found, Err(Refusal::Tainted("sends a piece of what it read")), "{carrier}");
        assert_eq!(
            search(&meter(), None, &[carrier.as_bytes()]),
            Ok(()),
            "who has read nothing says what it likes"
        );
    }
}

#[test]
fn what_was_not_read_passes() {
    for text in [
        "q=how+to+answer+a+question",
        "compute_the_answer",
        "--------------------------------------------------",
    ] {
        assert_eq!(search(&meter(), Some(&seen()), &[text.as_bytes()]), Ok(()), "{text}");
    }
    let mut ruled = Seen::default();
    ruled.add("-".repeat(500).as_bytes());
    assert!(!ruled.is_in("-".repeat(100).as_bytes()));
}

#[test]
fn who_has_read_too_much_to_remember_sends_nothing() {
    let full = Seen { is_full: true, ..Seen::default() };
    assert!(full.is_in(b"x"));
    assert!(!full.is_in(b""));
}

#[test]
fn a_secret_is_found_and_not_told() {
    let token = format!("ghp_{}", "aB3".repeat(12));
    let coded = BASE64.encode(format!("the token is {token}"));
    for carrier in [format!("x={token}"), format!("%67hp_{}", "aB3".repeat(12)), coded] {
        let refusal = search(&meter(), None, &[carrier.as_bytes()]).unwrap_err();
        assert_eq!(refusal, Refusal::Secret("github-token".to_owned()), "{carrier}");
        assert!(!refusal.to_string().contains("aB3"));
    }
}

proptest::proptest! {
    /// Twice a piece is enough, wherever it was cut out and wherever it is put.
    #[test]
    fn a_long_enough_copy_is_always_found(start in 0_usize..200, before in "[a-z ]{0,40}", after in "[a-z ]{0,40}") {
        let text = (0_u32..60).fold(String::new(), |text, n| text + &format!("line{n}:{}", n.wrapping_mul(7_919) % 1_000));
        let mut seen = Seen::default();
        seen.add(text.as_bytes());
        let copy: String = text.chars().skip(start).take(2 * PIECE).collect();
        let found = seen.is_in(format!("{before}{copy}{after}").as_bytes());
        proptest::prop_assert!(found);
    }
}

use super::*;
use crate::browser::clock::Clock;

fn target(path: &str) -> Target {
    Target::parse(&format!("https://a.example{path}")).unwrap()
}

#[test]
fn the_line_is_that_of_the_group_that_counts() {
    for (text, path, expected) in [
        ("User-agent: *\nDisallow: /a", "/a", "line 2 of it, `Disallow: /a` for `*`"),
        (
            "User-agent: x\nDisallow: /a\nUser-agent: abide\nDisallow: /a\n",
            "/a",
            "line 4 of it, `Disallow: /a` for `abide`",
        ),
        (
            "Disallow: /a\r\nUser-agent: *\r\n\r\nDisallow: /a # not this\r\n",
            "/ab",
            "line 4 of it, `Disallow: /a` for `*`",
        ),
        ("User-agent: *\nDisallow: /\nDisallow: /a\n", "/a", "line 3 of it, `Disallow: /a` for `*`"),
        ("User-agent: *\nDisallow: /%61\n", "/a", "line 2 of it, `Disallow: /a` for `*`"),
    ] {
        assert_eq!(
            Site::of(text.as_bytes().to_vec()).allows(&target(path)),
            Err(Refusal::Robots { origin: target(path).origin.to_string(), why: expected.to_owned() }),
            "{text}"
        );
    }
}

#[test]
fn allow_wins_of_two_that_are_as_long() {
    let site = Site::of(b"User-agent: *\nDisallow: /a\nAllow: /a\n".to_vec());
    assert_eq!(site.allows(&target("/a")), Ok(()));
}

#[test]
fn what_a_line_says_cannot_speak_to_a_terminal() {
    let site = Site::of(format!("User-agent: *\nDisallow: /a\u{1b}[31m{}", "x".repeat(500)).into_bytes());
    let asked = target(&format!("/a%1B[31m{}", "x".repeat(500)).replace("%1B", "b"));
    assert_eq!(site.allows(&asked), Ok(()));
    let long = Site::of(format!("User-agent: *\nDisallow: /{}", "x".repeat(500)).into_bytes());
    let why = long.allows(&target(&format!("/{}", "x".repeat(501)))).unwrap_err().to_string();
    assert!(why.len() < 360, "{why}");
}

#[test]
fn more_rules_than_are_held_against_a_page_forbid_it() {
    let site =
        |many: usize| Site::of(format!("User-agent: *\n{}", "Disallow: /x\n".repeat(many)).into_bytes());
    assert_eq!(site(RULES_MAX).allows(&target("/a")), Ok(()));
    assert!(site(RULES_MAX + 1).allows(&target("/a")).unwrap_err().to_string().contains("10,000 rules"));
}

#[test]
fn the_worst_file_costs_little() {
    let path = format!("/{}", "ab".repeat(4_000));
    for line in ["Disallow: /*b*a*c\n", "Disallow: /*ba*ca\n", "Disallow: /ab*********x\n", "User-agent: *\n"]
    {
        let lines = if line.starts_with('D') { RULES_MAX - 1 } else { BYTE_LIMIT / line.len() - 2 };
        let text = format!("User-agent: *\n{}Disallow: /ab\n", line.repeat(lines));
        let clock = Clock::start(Duration::ZERO);
        assert!(Site::of(text.into_bytes()).allows(&target(&path)).is_err());
        assert!(clock.elapsed().as_millis() < 2_000, "{line}: {:?}", clock.elapsed());
    }
}

use proptest::prelude::*;

use super::*;

const PLENTY: u64 = 50_000_000;

fn lines(text: &str) -> Vec<&[u8]> {
    text.as_bytes().split_inclusive(|byte| *byte == b'\n').collect()
}

fn counted(old: &str, new: &str, work: u64) -> (usize, usize, bool) {
    let diff = diff(&lines(old), &lines(new), &mut Work(work));
    let number = |flags: &[bool]| flags.iter().filter(|flag| **flag).count();
    (number(&diff.added), number(&diff.removed), diff.exact)
}

/// Lines of `kinds` kinds in no order.
fn noise(seed: u64, lines: usize, kinds: u64) -> String {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % kinds
    };
    (0..lines).map(|_| format!("{}\n", next())).collect()
}

#[test]
fn lines_are_counted_as_git_counts_them() {
    for (old, new, expect) in [
        ("", "", (0, 0)),
        ("", "a\n", (1, 0)),
        ("a\n", "", (0, 1)),
        ("a\nb\nc\n", "a\nx\nc\n", (1, 1)),
        ("a\nb\n", "b\na\n", (1, 1)),
        ("a", "a\n", (1, 1)),
        ("a\na\na\n", "a\na\n", (0, 1)),
        ("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n", (2, 3)),
    ] {
        assert_eq!(counted(old, new, PLENTY), (expect.0, expect.1, true), "{old:?} {new:?}");
    }
}

#[test]
fn far_apart_edits_in_a_long_file_are_cheap() {
    let old: String = (0..30_000).map(|n| format!("{}\n", n % 7)).collect();
    let new = format!("first\n{old}last\n").replacen("0\n1\n", "0\nx\n1\n", 3);
    assert_eq!(counted(&old, &new, 1_000_000), (5, 0, true));
}

#[test]
fn what_is_too_dear_counts_as_replaced() {
    let (old, new) = (noise(1, 20_000, 16), noise(2, 20_000, 16));
    assert_eq!(counted(&old, &new, PLENTY), (20_000, 20_000, false));
    assert_eq!(counted("a\nb\n", "b\nc\n", 0), (2, 2, false));
    assert_eq!(counted("a\n", "a\nb\n", 0), (1, 0, true));
}

#[test]
fn unique_lines_split_what_is_long() {
    let marks: String = (0..20).map(|n| format!("{}unique {n}\n", noise(n, 200, 9))).collect();
    let other: String = (0..20).map(|n| format!("{}unique {n}\n", noise(n + 99, 200, 9))).collect();
    let (added, removed, exact) = counted(&marks, &other, PLENTY);
    assert!(exact && added < 4000 && removed < 4000, "{added} {removed}");
}

/// Length of the longest common subsequence, the slow way.
fn common(old: &[&[u8]], new: &[&[u8]]) -> usize {
    let mut row = vec![0; new.len() + 1];
    for a in old {
        let mut corner = 0;
        for (at, b) in new.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if a == b { corner + 1 } else { above.max(row[at]) };
            corner = above;
        }
    }
    row[new.len()]
}

proptest! {
    #[test]
    fn the_diff_is_true_and_shortest(old in "([a-d]\n){0,40}", new in "([a-d]\n){0,40}") {
        let (a, b) = (lines(&old), lines(&new));
        let diff = diff(&a, &b, &mut Work(PLENTY));
        let kept = |lines: &[&[u8]], flags: &[bool]| -> Vec<Vec<u8>> {
            lines.iter().zip(flags).filter(|(_, changed)| !**changed).map(|(line, _)| line.to_vec()).collect()
        };
        prop_assert_eq!(kept(&a, &diff.removed), kept(&b, &diff.added));
        prop_assert_eq!(kept(&a, &diff.removed).len(), common(&a, &b));
    }

    #[test]
    fn with_any_work_the_diff_is_true(old in "([a-d]\n){0,40}", new in "([a-d]\n){0,40}", work in 0_u64..3000) {
        let (a, b) = (lines(&old), lines(&new));
        let diff = diff(&a, &b, &mut Work(work));
        let kept = |lines: &[&[u8]], flags: &[bool]| -> Vec<Vec<u8>> {
            lines.iter().zip(flags).filter(|(_, changed)| !**changed).map(|(line, _)| line.to_vec()).collect()
        };
        prop_assert_eq!(kept(&a, &diff.removed), kept(&b, &diff.added));
    }
}

use super::*;

fn check(ticket: &str, expect: Result<&[(&str, &[&str])], &str>) {
    let plan = Plan::of_ticket(ticket);
    match (plan, expect) {
        (Ok(plan), Ok(units)) => {
            let found: Vec<_> = plan
                .units
                .iter()
                .map(|unit| (unit.recipe.as_str(), unit.scope.iter().map(String::as_str).collect::<Vec<_>>()))
                .collect();
            let wanted: Vec<_> = units.iter().map(|(recipe, scope)| (*recipe, scope.to_vec())).collect();
            assert_eq!(found, wanted, "{ticket}");
        }
        (Err(error), Err(code)) => assert_eq!(error.code(), code, "{ticket}: {error}"),
        (plan, expect) => panic!("{ticket}: {plan:?} instead of {expect:?}"),
    }
}

#[test]
fn a_ticket_becomes_units_or_says_why_not() {
    check("Repair links in docs/", Ok(&[("repair-links", &["docs/"])]));
    check("# Fix broken links\n\nSince the move.", Ok(&[("repair-links", &[])]));
    check(
        "---\nrecipe: rename\nscope: [src]\nparams: {old: area, new: surface}\n---\n# Rename\n",
        Ok(&[("rename", &["src"])]),
    );
    check(
        "---\nunits:\n  - recipe: repair-links\n  - recipe: edit-file\n    params: {path: a, text: b}\n---\nTwo",
        Ok(&[("repair-links", &[]), ("edit-file", &[])]),
    );
    check("---\nrecipe: one-newline\nworker: ends-files\n---\nx", Ok(&[("one-newline", &[])]));
    check("---\nworker: ends-files\n---\nRepair links", Err("AB0021"));
    check("---\nrecipe: one-newline\nworker: ../x\n---\nx", Err("AB0021"));
    check("---\nrecipe: \"One newline\"\nworker: x\n---\nx", Err("AB0021"));
    check("---\nrecipe: proposal\nworker: x\nparams: {commit: a, by: b}\n---\nx", Err("AB0021"));
    check("---\nrecipe: rename\nworker: other\n---\nx", Ok(&[("rename", &[])]));
    check("---\nrecipe: rename\nworker: codegen\n---\nx", Err("AB0023"));
    check("", Err("AB0020"));
    check("---\n---\n", Err("AB0020"));
    check("---\nrecipe: rename\n", Err("AB0021"));
    check("---\nrecipe: [\n---\nx", Err("AB0021"));
    check("---\nrecipee: rename\n---\nx", Err("AB0021"));
    check("---\nrecipe: rename\nrecipe: rename\n---\nx", Err("AB0021"));
    check("---\nrecipe: teleport\n---\nx", Err("AB0022"));
    check("Make everything better", Err("AB0022"));
    check("---\nrecipe: rename\nparams: {old: a}\n---\nx", Err("AB0023"));
    let many = format!("---\nunits:\n{}---\nx", "  - recipe: repair-links\n".repeat(51));
    check(&many, Err("AB0024"));
    check(&"x".repeat(TICKET_BYTES_MAX + 1), Err("AB0020"));
}

#[test]
fn a_title_fits_a_commit() {
    let plan = Plan::of_ticket(&format!("Repair links {}\u{1b}[31m", "é".repeat(100))).unwrap();
    assert_eq!(plan.title.chars().count(), 72);
    assert!(!plan.title.contains('\u{1b}'));
}

use super::*;
use crate::egress::lease::tests::budgets;

#[test]
fn each_budget_ends_what_it_is_about() {
    let at = Timestamp;
    let mut spent = Spending::new(Budgets { requests_max: 3, per_second_max: 2, ..budgets() }, at(0));
    assert_eq!(spent.count(at(0)), Ok(()));
    assert_eq!(spent.count(at(0)), Ok(()));
    assert_eq!(spent.count(at(999)), Err(Refusal::Budget("per_second_max")));
    assert_eq!(spent.count(at(1_000)), Err(Refusal::Budget("requests_max")), "a refused request counts");

    let mut spent = Spending::new(Budgets { lease_ms_max: 50, ..budgets() }, at(100));
    assert_eq!(spent.count(at(149)), Ok(()));
    assert!(matches!(spent.count(at(150)), Err(Refusal::Over(_))));

    let mut spent = Spending::new(Budgets { concurrent_max: 1, bytes_max: 10, ..budgets() }, at(0));
    assert_eq!(spent.enter(), Ok(()));
    assert_eq!(spent.enter(), Err(Refusal::Budget("concurrent_max")));
    spent.leave();
    assert_eq!(spent.enter(), Ok(()));
    assert_eq!(spent.pass(9), Ok(()));
    assert_eq!(spent.pass(2), Err(Refusal::Budget("bytes_max")));
    assert_eq!(spent.pass(1), Err(Refusal::Budget("bytes_max")), "the rest is gone");
}

//! Budgets for retries.

use super::*;

#[test]
fn calls_bring_parts_of_tokens_and_no_more_than_there_is_room_for() {
    let budget = RetryBudget::new(20, 0, nz(2));
    assert!(budget.try_withdraw(at(0)) && budget.try_withdraw(at(0)) && !budget.try_withdraw(at(9_000)));
    for _ in 0..3 {
        (0..4).for_each(|_| budget.deposit());
        assert!(!budget.try_withdraw(at(9_000)));
        budget.deposit();
        assert!(budget.try_withdraw(at(9_000)));
    }
    (0..1_000).for_each(|_| budget.deposit());
    assert_eq!(budget.tokens(), 2);
}

#[test]
fn tokens_come_with_time_to_the_nanosecond_and_not_when_it_goes_backwards() {
    let budget = RetryBudget::new(0, 3, nz(1));
    let third = Duration::from_nanos(333_333_334);
    assert!(budget.try_withdraw(at(1_000)));
    assert!(!budget.try_withdraw(at(1_000) + third - Duration::from_nanos(1)));
    assert!(!budget.try_withdraw(at(0)));
    assert!(budget.try_withdraw(at(1_000) + third));
    assert!(!budget.try_withdraw(at(500)));
    assert!(!budget.try_withdraw(at(1_000) + third), "what came until then has been counted");
    assert!(budget.try_withdraw(Instant::NEVER), "and nothing overflows");
}

#[test]
fn a_token_goes_back_unless_it_is_spent() {
    let budget = RetryBudget::new(0, 0, nz(1));
    drop(budget.token(at(0)).unwrap());
    assert_eq!(budget.tokens(), 1);
    budget.token(at(0)).unwrap().spend();
    assert!(budget.token(at(0)).is_none());
}

#[test]
fn the_largest_budget_is_exact() {
    let budget = RetryBudget::new(u32::MAX, u32::MAX, nz(u32::MAX));
    assert!(budget.try_withdraw(at(0)));
    assert_eq!(budget.tokens(), u32::MAX - 1);
    budget.deposit();
    assert_eq!(budget.tokens(), u32::MAX);
    assert!(budget.same(&budget.clone()) && !budget.same(&RetryBudget::default()));
}

use super::*;

const TERMS: CanaryTerms = CanaryTerms { steps: 3, success_permille: 950, deadline: 1000 };

#[test]
fn silence_never_promotes() {
    assert_eq!(judge(TERMS, 0, 0, 0), CanaryState::Pending);
    assert_eq!(judge(TERMS, 2, 0, 999), CanaryState::Pending);
    assert_eq!(judge(TERMS, 2, 0, 1000), CanaryState::Failing);
    assert_eq!(judge(CanaryTerms { steps: 0, ..TERMS }, 0, 0, 0), CanaryState::Pending);
}

#[test]
fn a_bad_answer_fails_as_soon_as_the_share_is_out_of_reach() {
    assert_eq!(judge(TERMS, 0, 1, 0), CanaryState::Failing);
    assert_eq!(judge(CanaryTerms { steps: 100, ..TERMS }, 0, 5, 0), CanaryState::Pending);
    assert_eq!(judge(CanaryTerms { steps: 100, ..TERMS }, 0, 6, 0), CanaryState::Failing);
}

#[test]
fn enough_good_answers_promote() {
    assert_eq!(judge(TERMS, 3, 0, 0), CanaryState::Healthy);
}

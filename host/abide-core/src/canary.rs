//! Whether a canary may be promoted. Three-valued: silence never promotes, and at its deadline it rolls back.

/// One look at a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// It answered well.
    Good,
    /// It answered badly.
    Bad,
    /// It did not answer, or the answer says nothing.
    NoData,
}

/// What the policy demands of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryTerms {
    /// Answers that must be in before it is judged good.
    pub steps: u64,
    /// Share of answers that must be good, in thousandths.
    pub success_permille: u64,
    /// When waiting ends, in milliseconds since 1970.
    pub deadline: u64,
}

/// The judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanaryState {
    /// Keep looking.
    Pending,
    /// Promote, if the gate agrees.
    Healthy,
    /// Roll back.
    Failing,
}

impl CanaryState {
    /// The spelling in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Healthy => "healthy",
            Self::Failing => "failing",
        }
    }
}

/// Judges a canary by `good` and `bad` answers at time `now` (milliseconds since 1970).
///
/// It fails as soon as so many answers are bad that the demanded share can no longer be reached within the demanded number of answers.
pub fn judge(terms: CanaryTerms, good: u64, bad: u64, now: u64) -> CanaryState {
    let answers = good.saturating_add(bad);
    let planned = answers.max(terms.steps);
    let best_case = planned.saturating_sub(bad);
    if best_case.saturating_mul(1000) < planned.saturating_mul(terms.success_permille) {
        return CanaryState::Failing;
    }
    if good > 0
        && answers >= terms.steps
        && good.saturating_mul(1000) >= answers.saturating_mul(terms.success_permille)
    {
        return CanaryState::Healthy;
    }
    if now >= terms.deadline { CanaryState::Failing } else { CanaryState::Pending }
}

#[cfg(test)]
mod tests;

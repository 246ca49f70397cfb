//! What the shadow says where it cannot judge.

use super::*;

#[test]
fn without_a_sealed_judge_nothing_is_judged_and_the_record_says_why() {
    let (queue, waiting) = sync_channel(1);
    drop(queue);
    let outcome = Mutex::new(Outcome::default());
    let none = || Err(Failure::new("AB0193", "this binary was built without the sealed judge"));
    judge(&none, &waiting, &outcome);
    let outcome = outcome.into_inner().unwrap();
    assert!(outcome.bundle.is_none(), "nothing was loaded");
    let digest = Digest::of(b"candidate");
    let told = events(&digest, outcome, &[Seq(7)]);
    let Some((Body::ShadowJudged(judged), blobs)) = told.first() else { panic!("nothing is told") };
    assert_eq!((judged.missed.len(), judged.agreed.len(), judged.differed.len()), (1, 0, 0));
    assert!(judged.why.as_ref().unwrap().contains("AB0193") && blobs.is_empty());
}

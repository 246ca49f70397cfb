use abide_core::event::{Cites, Count, SourceDemoted, SourcePromoted};

use super::*;

const TICKET: &str = "---\nrecipe: extract-records\nsource: {name: goods, licence: own}\nparams: {urls: \"https://a.example/\", schema: s.json, path: d.jsonl}\n---\n# Read goods\n";

fn unit(text: &str) -> Defined {
    defined("sources/goods.md", text.to_owned()).unwrap().unwrap()
}

#[test]
fn what_people_read_is_no_part_of_a_definition_and_all_else_is() {
    let usual = unit(TICKET).definition;
    assert_eq!(usual, unit(&TICKET.replace("# Read goods", "# Another title\n\nAnd more.")).definition);
    for (from, to) in [
        ("own", "CC0-1.0"),
        ("a.example", "b.example"),
        ("name: goods", "name: others"),
        ("s.json", "t.json"),
        ("licence: own", "licence: own, fresh_hours: 3"),
    ] {
        assert_ne!(usual, unit(&TICKET.replace(from, to)).definition, "{from} → {to}");
    }
}

#[test]
fn what_defines_no_source_is_left_alone_or_told() {
    let of = |text: &str| defined("sources/x.md", text.to_owned()).map(|found| found.is_some());
    assert_eq!(of("# About this folder\n"), Ok(false));
    assert_eq!(of(&TICKET.replace("source: {name: goods, licence: own}\n", "")), Ok(false));
    assert!(of(&TICKET.replace("goods,", "Goods,")).unwrap_err().contains("`source.name`"));
    assert!(of("---\nrecipe: [\n---\n").is_err());
    assert!(
        of("---\nrecipe: proposal\nsource: {name: goods}\nparams: {commit: a, by: b}\n---\nx\n").is_err()
    );
    assert!(of("---\nsource: {name: goods}\n---\nRepair links\n").unwrap_err().contains("beside `recipe`"));
    let probed = TICKET.replacen("---\n", "---\nprobe: true\n", 1);
    assert_eq!(unit(TICKET).definition, unit(&probed).definition, "a probe tries the same source");
}

fn event(at: u64, body: Body) -> Event {
    Event { schema: Event::SCHEMA.to_owned(), at, run: None, body }
}

fn sampled(definition: &Digest, records: Option<&[u8]>) -> Body {
    let about = sample::About::default();
    let came = match records {
        Some(bytes) => sample::Came::To { path: "d.jsonl", bytes, is_new: true },
        None => sample::Came::Nothing { code: "AB0811".to_owned(), why: "no".to_owned() },
    };
    Body::SourceSampled(Box::new(sample::measure(&about, definition, &came, None, &[]).unwrap()))
}

#[test]
fn a_life_is_told_by_the_log_and_begins_anew_after_a_fall() {
    let digest = Digest::of(b"d");
    let promoted = |from, to| {
        let (definition, source) = (digest.clone(), "goods".to_owned());
        Body::SourcePromoted(Box::new(SourcePromoted {
            unit: "u1".to_owned(),
            decision: Cites(3),
            source,
            definition,
            from,
            to,
        }))
    };
    let demoted = Body::SourceDemoted(Box::new(SourceDemoted {
        source: "goods".to_owned(),
        definition: digest.clone(),
        from: SourceState::Active,
        denied: None,
        by: "alice".to_owned(),
        reasons: vec!["moved away".to_owned()],
    }));
    let mut lives = BTreeMap::new();
    let tell =
        |lives: &mut BTreeMap<Digest, Life>, seq: u64, body: Body| fold(lives, seq, event(seq * 10, body));
    tell(&mut lives, 1, sampled(&digest, Some(b"{\"a\":1}\n")));
    tell(&mut lives, 2, promoted(SourceState::Proposed, SourceState::Probation));
    tell(&mut lives, 3, promoted(SourceState::Probation, SourceState::Active));
    tell(&mut lives, 4, sampled(&digest, None));
    let life = lives[&digest].clone();
    assert_eq!(
        (life.state, life.record().samples, life.record().failed_in_a_row),
        (SourceState::Active, 2, 1)
    );
    let case = life.case(&unit(TICKET).unit, &digest, None).unwrap();
    assert_eq!((case.state, case.record, case.licence.as_deref()), (SourceState::Active, None, Some("own")));
    tell(&mut lives, 5, demoted);
    tell(&mut lives, 6, sampled(&digest, Some(b"{\"a\":2}\n")));
    let life = &lives[&digest];
    assert_eq!((life.state, life.record().samples, life.moves.len()), (SourceState::Demoted, 1, 3));
    assert_eq!(life.newest_records(), Some(&Digest::of(b"{\"a\":2}\n")));
    let _: Count = life.samples[0].sample.count;
}

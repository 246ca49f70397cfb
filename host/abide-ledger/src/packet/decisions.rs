//! Whether each recorded decision holds together, and comes out the same when it is made again.

use abide_core::canonical;
use abide_core::id::Digest;
use serde_json::Value;

use super::activations::Judges;
use super::verify::{Entry, Evidence};
use crate::report::Report;

/// The documents of one decision.
struct Documents<'a> {
    action: &'a [u8],
    input: &'a [u8],
    decision: &'a [u8],
}

pub(super) fn check(evidence: &Evidence<'_>, judges: &dyn Judges, report: &mut Report) {
    let recorded: Vec<&Entry> =
        evidence.events.iter().filter(|entry| entry.leaf.kind() == "DecisionRecorded").collect();
    let each = |test: &dyn Fn(&Entry) -> Result<(), String>| -> Result<(), String> {
        recorded
            .iter()
            .try_for_each(|entry| test(entry).map_err(|why| format!("decision {}: {why}", entry.seq)))
    };
    let whole = each(&|entry| holds_together(evidence, entry))
        .map(|()| format!("{} decisions match their inputs and actions", recorded.len()));
    if report.add("decisions", "AB0436", whole) {
        let same = each(&|entry| comes_out_the_same(evidence, entry, judges));
        report.add(
            "recomputed",
            "AB0437",
            same.map(|()| format!("{} decisions recomputed: identical", recorded.len())),
        );
    }
}

fn cited<'a>(evidence: &'a Evidence<'a>, entry: &Entry, field: &str) -> Result<&'a [u8], String> {
    let digest: Digest = entry.text(field).parse().map_err(|_| format!("it names no `{field}`"))?;
    evidence.blobs.get(&digest).copied().ok_or_else(|| format!("its `{field}` {} is missing", digest.short()))
}

fn documents<'a>(evidence: &'a Evidence<'a>, entry: &Entry) -> Result<Documents<'a>, String> {
    Ok(Documents {
        action: cited(evidence, entry, "action_digest")?,
        input: cited(evidence, entry, "input")?,
        decision: cited(evidence, entry, "digest")?,
    })
}

fn comes_out_the_same(evidence: &Evidence<'_>, entry: &Entry, judges: &dyn Judges) -> Result<(), String> {
    let documents = documents(evidence, entry)?;
    let made = judges
        .decision(cited(evidence, entry, "bundle")?, documents.input, entry.text("engine"))
        .map_err(|error| format!("it cannot be made again: {error}"))?;
    if made == documents.decision {
        Ok(())
    } else {
        Err("it comes out otherwise when it is made again".to_owned())
    }
}

/// The event, the decision, the input and the action all say the same.
fn holds_together(evidence: &Evidence<'_>, entry: &Entry) -> Result<(), String> {
    let documents = documents(evidence, entry)?;
    let parse =
        |bytes| serde_json::from_slice::<Value>(bytes).map_err(|_| "one of its documents is not JSON");
    let (input, decision) = (parse(documents.input)?, parse(documents.decision)?);
    let action = entry.data.get("action").ok_or("it names no action")?;
    if canonical::jcs(action).map_err(|error| error.to_string())? != documents.action {
        return Err("the action in the event is not the one that was judged".to_owned());
    }
    same(
        entry,
        &decision,
        &[
            ("verdict", "/verdict"),
            ("action_digest", "/action"),
            ("input", "/input"),
            ("bundle", "/bundle"),
            ("engine", "/engine"),
            ("fault", "/fault"),
        ],
    )?;
    same(
        entry,
        &input,
        &[("class", "/action/class"), ("kind", "/action/kind"), ("action_digest", "/action/digest")],
    )?;
    if text_at(action, "/class") != entry.text("class") || text_at(action, "/kind") != entry.text("kind") {
        return Err("its class and kind are not those of the action".to_owned());
    }
    if text_at(&input, "/run/id") != evidence.run.as_str()
        || input.pointer("/now").and_then(Value::as_u64) != Some(entry.leaf.at().0)
    {
        return Err("its input is of another run or another time".to_owned());
    }
    placed(action, &input)
}

/// What the policy was told about the target is where the action lands.
fn placed(action: &Value, input: &Value) -> Result<(), String> {
    let lands = |names: &[&str]| {
        names
            .iter()
            .map(|name| text_at(action, &format!("/action/{name}")))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    for (told, lands) in [
        ("repo", lands(&["repo"])),
        ("branch", lands(&["target", "branch"])),
        ("environment", lands(&["environment", "plan/environment"])),
    ] {
        if !lands.is_empty() && text_at(input, &format!("/action/target/{told}")) != lands {
            return Err(format!("its policy was told another {told} than the action's"));
        }
    }
    let tree = lands(&["tree"]);
    match input.pointer("/facts/tree").and_then(Value::as_str) {
        Some(measured) if !tree.is_empty() && measured != tree => {
            Err("its facts are of another tree than the action's".to_owned())
        }
        _ => Ok(()),
    }
}

fn same(entry: &Entry, document: &Value, fields: &[(&str, &str)]) -> Result<(), String> {
    match fields.iter().find(|(field, pointer)| entry.text(field) != text_at(document, pointer)) {
        Some((field, _)) => Err(format!("field `{field}` of the event is not what its documents say")),
        None => Ok(()),
    }
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

//! What happens on the stage. Each scene says what must come of it, and fails the demo if something else does.

use std::fs;
use std::time::Duration;

use super::stage::{Said, Stage, Told, finish};

/// A scene: what it is about, and how it goes.
type Scene = (&'static str, fn(&Stage<'_>) -> Told<()>);

/// Every scene, in order.
pub(super) const ALL: &[Scene] = &[
    ("guard the repository", guard),
    ("a documentation repair merges by itself, and is deployed once a person agrees", repair),
    ("a rename waits for a person; what is merged is what was approved", rename),
    ("a change to CI is denied", pipeline),
    ("a direct push is denied", push),
    ("a secret in a diff is denied", secret),
    ("a change shaped like the xz backdoor is denied", opaque),
    ("a bad release is rolled back", bad_release),
    ("the kill switch, pulled while a canary is out", kill),
    ("the evidence", evidence),
];

/// Times that the demo looks whether something has happened, 50 ms apart.
const LOOKS_MAX: u32 = 600;

fn guard(stage: &Stage<'_>) -> Told<()> {
    let said = stage.ab(&["init", "--name", "demo"])?;
    expect(&said, 0)?;
    let bare = stage.bare();
    let said = stage.ab(&["hook", "install", &bare.to_string_lossy()])?;
    expect(&said, 0)?;
    stage.show("ab init; ab hook install demo.git", &said, &|line| line.starts_with("guarded"));
    Ok(())
}

fn repair(stage: &Stage<'_>) -> Told<()> {
    let before = stage.head()?;
    let said = stage.ab(&["run", "--ticket", "Repair broken links in docs/demo/"])?;
    stage.show("ab run --ticket \"Repair broken links in docs/demo/\"", &said, &|line| {
        ["merge", "deploy"].iter().any(|word| line.starts_with(word)) || line.contains("merged  ")
    });
    expect(&said, 4)?;
    if stage.head()? == before {
        return Err("nothing was merged".to_owned());
    }
    let said = approve_only_item(stage)?;
    stage.show("ab approve --as reviewer …", &said, &|line| line.contains("live"));
    expect(&said, 0)?;
    expect_served(stage, "ok")
}

fn rename(stage: &Stage<'_>) -> Told<()> {
    let (from, to) = &stage.rename;
    let ticket = stage.beside("rename.md");
    let text =
        format!("---\nrecipe: rename\nparams: {{old: {from}, new: {to}}}\n---\nRename {from} to {to}\n");
    fs::write(&ticket, text).map_err(|error| error.to_string())?;
    let said = stage.ab(&["run", "--ticket", &ticket.to_string_lossy()])?;
    stage.show("ab run --ticket rename.md", &said, &|line| {
        line.starts_with("merge") || line.contains("needs-human")
    });
    expect(&said, 4)?;
    let item = only_item(stage)?;
    let card = stage.ab(&["show", &item])?;
    expect(&card, 0)?;
    stage.show(&format!("ab show {item}"), &card, &|line| {
        ["why it", "blast", "who may"].iter().any(|word| line.starts_with(word))
    });
    let shown = stage.ab(&["--json", "show", &item])?.json()?;
    let approved =
        shown.pointer("/item").and_then(|_| action_commit(stage, &item)).ok_or("the card names no commit")?;
    let said = stage.ab(&["approve", &item, "--as", "reviewer"])?;
    stage.show(&format!("ab approve {item} --as reviewer"), &said, &|line| line.contains("merged  "));
    if stage.head()? != approved {
        return Err(format!("{} stands at {}, approved was {approved}", stage.branch, stage.head()?));
    }
    stage.say(&format!("    {} stands at {approved}, exactly the approved commit", stage.branch));
    // The release of the rename can wait: a person says no to it.
    let item = only_item(stage)?;
    expect(&stage.ab(&["deny", &item, "--as", "reviewer", "--reason", "released with the next change"])?, 0)
}

fn pipeline(stage: &Stage<'_>) -> Told<()> {
    let ticket = stage.ticket(
        "ci",
        "Add a workflow",
        &[("path", ".github/workflows/demo.yml"), ("text", "on: push\njobs: {}\n")],
    )?;
    let said = stage.ab(&["run", "--ticket", &ticket.to_string_lossy()])?;
    stage.show("ab run --ticket ci.md", &said, &denial);
    denied(&said, "pipeline-edit")
}

fn push(stage: &Stage<'_>) -> Told<()> {
    let dev = stage.dev().to_string_lossy().into_owned();
    let before = stage.head()?;
    stage.must_git(&["-C", &dev, "fetch", "--quiet", "origin"])?;
    stage.must_git(&["-C", &dev, "reset", "--quiet", "--hard", &format!("origin/{}", stage.branch)])?;
    stage.write("docs/demo/notes.md", "# Notes\n\nPushed around the gate.\n")?;
    stage.must_git(&["-C", &dev, "commit", "--quiet", "--all", "--message", "Push around the gate"])?;
    let said = stage.git(&["-C", &dev, "push", "origin", &format!("HEAD:{}", stage.branch)])?;
    stage.show(&format!("git push origin HEAD:{}", stage.branch), &said, &|line| {
        line.contains("abide:") || line.contains("rejected")
    });
    if said.code == 0 || stage.head()? != before {
        return Err("the push went through".to_owned());
    }
    Ok(())
}

fn secret(stage: &Stage<'_>) -> Told<()> {
    // Put together here, so that this file itself holds nothing that looks like a credential.
    let key = format!("aws_access_key_id = {}{}\n", "AKIA", "Q4RZ7MWT2XKLP5NV");
    let ticket =
        stage.ticket("secret", "Note the key", &[("path", "docs/demo/access.md"), ("text", &key)])?;
    let said = stage.ab(&["run", "--ticket", &ticket.to_string_lossy()])?;
    stage.show("ab run --ticket secret.md", &said, &|line| line.contains('✗') || line.contains("secrets:"));
    denied(&said, "secrets")
}

fn opaque(stage: &Stage<'_>) -> Told<()> {
    let dev = stage.dev().to_string_lossy().into_owned();
    stage.must_git(&["-C", &dev, "reset", "--quiet", "--hard", &format!("origin/{}", stage.branch)])?;
    // Bytes that no text holds, the same in every run.
    let noise = |seed: u64, count: u64| -> Vec<u8> {
        (1..=count)
            .flat_map(|n| {
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .rotate_left(u32::try_from(n % 64).unwrap_or(0))
                    .wrapping_add(seed)
                    .to_le_bytes()
            })
            .collect()
    };
    for (number, size) in [(1, 60), (2, 110), (3, 48), (4, 64), (5, 70)] {
        stage.write_bytes(&format!("tests/files/good-{number}.lzma"), &noise(number, size))?;
    }
    stage.write("tests/files/README", "The good files were made by hand.\n")?;
    stage.must_git(&["-C", &dev, "add", "--force", "tests/files"])?;
    stage.must_git(&["-C", &dev, "commit", "--quiet", "--message", "Tests: Add a few test files"])?;
    let said = stage.ab(&["propose", "HEAD", "--from", &dev])?;
    stage.show("ab propose HEAD --from dev", &said, &|line| line.contains('✗') || line.contains("opaque"));
    denied(&said, "opaque-binary-in-tests")
}

fn bad_release(stage: &Stage<'_>) -> Told<()> {
    let params = [("path", "docs/demo/status.md"), ("old", "ok\n"), ("new", "broken\n")];
    let said = deploy_edit(stage, "bad", "Say how it stands", &params)?;
    stage.show("ab run --ticket bad.md; ab approve --as reviewer …", &said, &|line| {
        line.contains("canary") || line.contains("is served")
    });
    expect_served(stage, "ok")
}

fn kill(stage: &Stage<'_>) -> Told<()> {
    let params = [("path", "docs/demo/status.md"), ("old", "broken\n"), ("new", "slow\n")];
    let ticket = stage.ticket("slow", "Say how it stands", &params)?;
    expect(&stage.ab(&["run", "--ticket", &ticket.to_string_lossy()])?, 4)?;
    let item = only_item(stage)?;
    let child = stage.ab_start(&["approve", &item, "--as", "reviewer"])?;
    wait_for(stage, "CanaryStarted")?;
    let killed = stage.ab(&["kill", "--reason", "show that it stops"])?;
    expect(&killed, 0)?;
    let said = finish(child)?;
    stage.show("ab approve --as reviewer … & ab kill --reason \"show that it stops\"", &killed, &|line| {
        line.starts_with("halted")
    });
    let after = events_after_kill(stage)?;
    stage.say(&format!("    after the kill the log holds: {}", after.join(", ")));
    let allowed = ["RolledBack", "CanaryObserved", "DecisionRecorded ROLLBACK allow", "RunFinished"];
    if let Some(other) = after.iter().find(|kind| !allowed.contains(&kind.as_str())) {
        return Err(format!("{other} happened after the kill"));
    }
    if !after.iter().any(|kind| kind == "RolledBack") {
        return Err(format!("the canary was not taken back: {}", said.err));
    }
    expect_served(stage, "ok")?;
    let refused = stage.ab(&["run", "--ticket", "Repair broken links in docs/demo/"])?;
    stage.show("ab run --ticket …", &refused, &|line| line.contains("kill switch"));
    expect(&refused, 7)
}

fn evidence(stage: &Stage<'_>) -> Told<()> {
    let said = stage.ab(&["verify"])?;
    stage.show("ab verify", &said, &|line| line.contains("leaves") || line.contains("checkpoints"));
    expect(&said, 0)?;
    let first = stage.ab(&["--json", "audit", "log"])?;
    let run = first.out.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut run = run;
    let run = run
        .find_map(|line| line.pointer("/event/run").and_then(|run| run.as_str()).map(str::to_owned))
        .ok_or("no run in the log")?;
    let packet = stage.beside("packet.abide");
    let path = packet.to_string_lossy().into_owned();
    expect(&stage.ab(&["packet", &run, "--out", &path])?, 0)?;
    let good = stage.ab(&["verify", &path])?;
    stage.show("ab packet RUN --out packet.abide; ab verify packet.abide", &good, &|line| {
        line.contains("recomputed") || line == "accepted"
    });
    expect(&good, 0)?;
    let mut bytes = fs::read(&packet).map_err(|error| error.to_string())?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    fs::write(&packet, &bytes).map_err(|error| error.to_string())?;
    let bad = stage.ab(&["verify", &path])?;
    stage.show(&format!("flip one bit of byte {middle}; ab verify packet.abide"), &bad, &|line| {
        line.starts_with('✗') || line == "REFUSED"
    });
    expect(&bad, 8)
}

/// Runs an edit through to its deployment, a person agreeing.
fn deploy_edit(stage: &Stage<'_>, name: &str, title: &str, params: &[(&str, &str)]) -> Told<Said> {
    let ticket = stage.ticket(name, title, params)?;
    let said = stage.ab(&["run", "--ticket", &ticket.to_string_lossy()])?;
    expect(&said, 4)?;
    approve_only_item(stage)
}

fn approve_only_item(stage: &Stage<'_>) -> Told<Said> {
    stage.ab(&["approve", &only_item(stage)?, "--as", "reviewer"])
}

fn only_item(stage: &Stage<'_>) -> Told<String> {
    let queue = stage.ab(&["--json", "queue"])?.json()?;
    let items: Vec<&str> = queue
        .pointer("/waiting")
        .and_then(|items| items.as_array())
        .into_iter()
        .flatten()
        .filter_map(|item| item.get("item")?.as_str())
        .collect();
    match items.as_slice() {
        [item] => Ok((*item).to_owned()),
        other => Err(format!("{} items wait, one was expected", other.len())),
    }
}

/// The commit that the action of a queue item would merge, as the log recorded it.
fn action_commit(stage: &Stage<'_>, item: &str) -> Option<String> {
    let seq: u64 = item.strip_prefix('q')?.parse().ok()?;
    let log = stage.ab(&["--json", "audit", "log"]).ok()?;
    let events = log.out.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let record =
        events.into_iter().find(|line| line.get("seq").and_then(serde_json::Value::as_u64) == Some(seq))?;
    Some(record.pointer("/event/data/action/action/commit")?.as_str()?.to_owned())
}

fn wait_for(stage: &Stage<'_>, kind: &str) -> Told<()> {
    let count = |stage: &Stage<'_>| {
        Ok::<_, String>(
            stage.ab(&["--json", "audit", "log"])?.out.lines().filter(|line| line.contains(kind)).count(),
        )
    };
    let before = count(stage)?;
    for _ in 0..LOOKS_MAX {
        if count(stage)? > before {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{kind} never happened"))
}

/// Kinds of the events after the last kill; decisions with their class and verdict.
fn events_after_kill(stage: &Stage<'_>) -> Told<Vec<String>> {
    let log = stage.ab(&["--json", "audit", "log"])?;
    let mut after: Vec<String> = Vec::new();
    for line in log.out.lines() {
        let event: serde_json::Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let text = |pointer: &str| {
            event.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        match text("/event/type").as_str() {
            "Killed" => after.clear(),
            "DecisionRecorded" => after.push(format!(
                "DecisionRecorded {} {}",
                text("/event/data/class"),
                text("/event/data/verdict")
            )),
            other => after.push(other.to_owned()),
        }
    }
    Ok(after)
}

/// What users are served: the status file of the current release.
fn expect_served(stage: &Stage<'_>, status: &str) -> Told<()> {
    let file = stage.beside("releases").join("production/current/docs/demo/status.md");
    let found = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    if found.trim() == status {
        Ok(())
    } else {
        Err(format!("production serves `{}`, not `{status}`", found.trim()))
    }
}

fn expect(said: &Said, code: i32) -> Told<()> {
    if said.code == code {
        Ok(())
    } else {
        Err(format!("exit {} instead of {code}: {} {}", said.code, said.out.trim(), said.err.trim()))
    }
}

fn denied(said: &Said, rule: &str) -> Told<()> {
    expect(said, 3)?;
    if said.out.contains(rule) { Ok(()) } else { Err(format!("denied, but not by `{rule}`: {}", said.out)) }
}

fn denial(line: &str) -> bool {
    line.contains('✗') || (line.starts_with("         ") && !line.contains("high-entropy"))
}

//! `ab keys`: the keys with which people sign policy and workers, and those who are trusted.

use abide_core::id::Timestamp;
use abide_gate::Clock as _;
use clap::{Args as ClapArgs, Subcommand};
use serde_json::{Value, json};

use super::Shell;
use super::printer::Tone;
use crate::bundles::Role;
use crate::bundles::judgement::short;
use crate::bundles::signers::Signers;
use crate::home::Home;
use crate::keys::{KeyName, Keys};
use crate::report::{Exit, Failure};
use crate::wiring::SystemClock;

const AFTER: &str = "\
Each person makes a key on a machine of their own and sends the printed line to the operator, who puts it
into signers.yaml in the state folder. A bundle cannot say who may sign it. docs/guides/bundles.md has a walk.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    verb: KeysVerb,
}

#[derive(Debug, Subcommand)]
enum KeysVerb {
    /// Make a key of yours, and print the line that makes it trusted.
    Init {
        /// Role and person: rules/alice, hard/alice, invariants/alice or worker/alice.
        #[arg(long, value_name = "ROLE/NAME")]
        name: KeyName,
        /// Days until the key ends.
        #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,
    },
    /// List the keys that are trusted, and yours.
    List,
}

pub(crate) fn run(shell: &Shell, args: &KeysArgs) -> Result<Exit, Failure> {
    let home = Home::of(&shell.env)?;
    match &args.verb {
        KeysVerb::Init { name, days } => init(shell, &home, name, *days),
        KeysVerb::List => list(shell, &home),
    }
}

fn init(shell: &Shell, home: &Home, name: &KeyName, days: u16) -> Result<Exit, Failure> {
    let last_day = day_after(SystemClock.now(), days)?;
    let keys = Keys::of(home);
    let public = keys.create(name)?.public();
    let line = format!("- {{person: {}, public: \"{public}\", not_after: {last_day}}}", name.person);
    let (file, signers) = (keys.file(name), home.signers());
    let tick = shell.printer.paint(Tone::Good, "✓");
    shell.printer.line(&format!("{tick} wrote        {} (only you can read it)", file.display()));
    shell.printer.line(&format!("{tick} fingerprint  {}", public.id()));
    shell.printer.line(&format!(
        "to be trusted, under `roles: {}: keys:` in {}:",
        name.role,
        signers.display()
    ));
    shell.printer.line(&line);
    let what = if name.role == Role::Worker { "worker" } else { "policy" };
    shell.printer.line(&format!("next: ab keys list · ab {what} sign FILE --key {name}"));
    shell.printer.data(&json!({
        "name": name.to_string(), "role": name.role, "person": name.person, "file": file, "public": public.to_string(),
        "key": public.id(), "not_after": last_day, "line": line, "signers": signers,
    }));
    Ok(Exit::Done)
}

fn day_after(now: Timestamp, days: u16) -> Result<String, Failure> {
    let fault = |error: jiff::Error| Failure::of("AB0007", error);
    let now = i64::try_from(now.0).unwrap_or(i64::MAX);
    let today =
        jiff::Timestamp::from_millisecond(now).map_err(fault)?.to_zoned(jiff::tz::TimeZone::UTC).date();
    let days = jiff::Span::new().days(i64::from(days));
    Ok(today.checked_add(days).map_err(fault)?.to_string())
}

fn list(shell: &Shell, home: &Home) -> Result<Exit, Failure> {
    let keys = Keys::of(home);
    let mut own = Vec::new();
    for name in keys.list() {
        own.push((keys.open(&name)?.public().id(), name));
    }
    let signers = Signers::open(&home.signers());
    let mut trusted = Vec::new();
    if let Ok(signers) = &signers {
        for (role, bench) in &signers.roles {
            shell.printer.line(&format!("{role}: {} must sign", count(bench.quorum)));
            for key in &bench.keys {
                let id = key.public.id();
                let over = key.is_over(SystemClock.now());
                let here = own.iter().any(|(own, _)| *own == id);
                let (tone, mark) = if over { (Tone::Bad, "✗") } else { (Tone::Good, "✓") };
                let until = if over { "ended" } else { "until" };
                let place = if here { "  key here" } else { "" };
                let mark = shell.printer.paint(tone, mark);
                let line =
                    format!("  {mark} {:<20} {}  {until} {}{place}", key.person, short(&id), key.last_day);
                shell.printer.line(&line);
                trusted.push(json!({
                    "role": role, "person": key.person, "key": id, "not_after": key.last_day, "ended": over, "here": here,
                }));
            }
        }
    }
    let known =
        |id: &str| trusted.iter().any(|one: &Value| one.get("key").and_then(Value::as_str) == Some(id));
    let strangers: Vec<_> = own.iter().filter(|(id, _)| !known(id)).collect();
    for (id, name) in &strangers {
        let mark = shell.printer.paint(Tone::Wait, "–");
        shell.printer.line(&format!("{mark} {name:<22} {}  key here, not trusted", short(id)));
    }
    shell.printer.data(&json!({
        "signers": home.signers(),
        "trusted": trusted,
        "own": own.iter().map(|(id, name)| json!({ "name": name.to_string(), "key": id, "file": keys.file(name) })).collect::<Vec<_>>(),
        "fault": signers.as_ref().err().map(|error| json!({ "code": error.code(), "why": error.to_string() })),
    }));
    match signers {
        Ok(_) => Ok(Exit::Done),
        Err(error) => {
            let help = format!("docs/guides/bundles.md shows what {} looks like", home.signers().display());
            Err(Failure::of(error.code(), error).help(help).exit(Exit::Evidence))
        }
    }
}

fn count(quorum: usize) -> String {
    if quorum == 1 { "one person".to_owned() } else { format!("{quorum} different people") }
}

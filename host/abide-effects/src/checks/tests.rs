use super::*;
use crate::process::tests::monotonic;
use crate::process::{Came, Cell, Containment, Inmate, Jail, JailFault, Report};
use crate::trial::{Sandpit, Trial, repo_id, run};

const LIMITS: CheckLimits = CheckLimits {
    wall_ms_max: 10_000,
    grace_ms: 50,
    cpu_s_max: 10,
    file_bytes_max: 1 << 20,
    output_bytes_max: 4096,
    printed_bytes_max: 1 << 20,
    workspace: WorkspaceLimits { files_max: 100, bytes_max: 1 << 20, file_bytes_max: 1 << 20 },
};

/// A jail without walls: real processes, whose group is ended. What walls keep is tested where they are.
#[derive(Debug)]
struct Open;

#[derive(Debug)]
struct OpenInmate(std::process::Child);

impl Jail for Open {
    #[expect(clippy::disallowed_methods, reason = "a test starts the program of a check")]
    fn start(&self, cell: &Cell<'_>, output: std::io::PipeWriter) -> Result<Box<dyn Inmate>, JailFault> {
        use std::os::unix::process::CommandExt as _;
        let (home, start) = (cell.private.join("home"), cell.start.unwrap_or(Path::new("")));
        std::fs::create_dir_all(&home).unwrap();
        let mut command = std::process::Command::new(&cell.argv[0]);
        command.args(&cell.argv[1..]).env_clear().envs(&cell.env).env("HOME", home);
        command.current_dir(cell.work.join(start)).stdin(std::process::Stdio::null()).stdout(output);
        Ok(Box::new(OpenInmate(command.process_group(0).spawn().unwrap())))
    }
}

impl Inmate for OpenInmate {
    fn take_exit(&mut self) -> Option<std::net::TcpListener> {
        None
    }

    fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.0)
    }

    fn end(&self) {
        rustix::process::kill_process_group(self.pid(), rustix::process::Signal::KILL).ok();
    }

    fn report(mut self: Box<Self>) -> Result<Report, JailFault> {
        let code = self.0.wait().unwrap().code();
        let came = match code {
            // What this jail says of a program that ended so: the walls' own words are not tested here.
            Some(77) => Came::Breach(vec!["reach 192.0.2.1:9".to_owned(), "mount a file system".to_owned()]),
            Some(78) => Came::Exhausted("it took too much".to_owned()),
            Some(79) => return Err(JailFault { code: "AB0951", what: "lost".to_owned() }),
            Some(code) => Came::Exit(code),
            None => Came::Signal(9),
        };
        Ok(Report { walls: vec!["files".to_owned()], came, missed: Vec::new() })
    }
}

fn shell(name: &str, script: &str) -> CheckSpec {
    CheckSpec {
        name: name.to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        timeout_ms: 5_000,
        env: vec!["TOKEN".to_owned()],
        required: true,
        workdir: None,
        read: Vec::new(),
        egress: None,
        proof: None,
    }
}

fn action(pit: &Sandpit, specs: &[CheckSpec], names: &[&str]) -> RunChecks {
    RunChecks {
        repo: repo_id(),
        run: run(),
        unit: "u1".to_owned(),
        commit: pit.oid("HEAD"),
        checks: names.iter().map(|name| (*name).to_owned()).collect(),
        definitions: definitions_digest(specs).unwrap(),
        egress: Vec::new(),
    }
}

fn apply(
    pit: &Sandpit,
    trial: &Trial,
    specs: &[CheckSpec],
    action: RunChecks,
    cancelled: &dyn Fn() -> bool,
) -> Result<Receipt<ChecksRan>, CheckError> {
    let (repo, root, clock, base) = (pit.open(), pit.spare(), monotonic(), pit.oid("HEAD"));
    let host =
        Host { path: "/usr/bin:/bin".to_owned(), monotonic_ms: &clock, containment: Containment::probe() };
    let environment =
        BTreeMap::from([("TOKEN", "t"), ("OTHER", "o")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    let hand = CheckHand {
        repo: &repo,
        root: &root,
        limits: LIMITS,
        base: &base,
        jail: &Open,
        host: &host,
        environment: &environment,
        doors: &BTreeMap::new(),
    };
    assert_eq!(hand.probe(&action).unwrap(), None);
    let result = hand.apply(trial.permit(action), specs, cancelled);
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "nothing is left in the scratch folder");
    result
}

fn never() -> bool {
    false
}

#[test]
fn checks_run_in_order_in_fresh_checkouts_of_the_commit() {
    let pit = Sandpit::seeded();
    pit.write("docs/a.md", "not committed");
    let specs = [
        shell("spoil", "echo spoilt > docs/a.md; ls | tr '\\n' ' '"),
        shell("look", "cat docs/a.md; echo ${TOKEN-none} ${OTHER-none}"),
        CheckSpec { required: false, ..shell("fail", "exit 7") },
        CheckSpec {
            workdir: Some("docs".parse().unwrap()),
            ..shell("inner", "test -f a.md && test ! -e ../.git")
        },
    ];
    let action = action(&pit, &specs, &["spoil", "look", "fail", "inner"]);
    let receipt = apply(&pit, &Trial::new(), &specs, action, &never).unwrap();
    let ran = &receipt.outcome;
    let seen: Vec<_> =
        ran.results.iter().map(|check| (check.outcome.as_str(), check.exit.as_deref())).collect();
    assert_eq!(
        seen,
        [("passed", Some("0")), ("passed", Some("0")), ("failed", Some("7")), ("passed", Some("0"))]
    );
    assert_eq!(ran.results[0].output.as_ref().unwrap().text(), "README.md docs run.sh src ");
    assert_eq!(ran.results[1].output.as_ref().unwrap().text(), "one\ntwo\nthree\nt none\n");
    assert!(ran.passed(), "the one that failed is not required");
    assert_eq!(pit.read("docs/a.md").as_deref(), Some("not committed"), "the user's tree is not touched");
}

#[test]
fn what_is_not_defined_is_missing_and_does_not_pass() {
    let pit = Sandpit::seeded();
    let specs = [shell("there", "true")];
    let receipt =
        apply(&pit, &Trial::new(), &specs, action(&pit, &specs, &["there", "gone"]), &never).unwrap();
    assert_eq!(receipt.outcome.results[1].outcome, CheckOutcome::Missing);
    assert!(!receipt.outcome.passed());
}

#[test]
fn a_check_that_hangs_times_out() {
    let pit = Sandpit::seeded();
    let specs = [CheckSpec { timeout_ms: 100, ..shell("hang", "sleep 600") }];
    let receipt = apply(&pit, &Trial::new(), &specs, action(&pit, &specs, &["hang"]), &never).unwrap();
    assert_eq!(
        (receipt.outcome.results[0].outcome, receipt.outcome.passed()),
        (CheckOutcome::Timeout, false)
    );
}

#[test]
fn only_the_judged_definitions_run() {
    let pit = Sandpit::seeded();
    let judged = [shell("test", "true")];
    let swapped = [shell("test", "echo swapped")];
    let error = apply(&pit, &Trial::new(), &swapped, action(&pit, &judged, &["test"]), &never).unwrap_err();
    assert_eq!(error.code(), "AB0501");
    let twice = [shell("test", "true"), shell("test", "false")];
    let error = apply(&pit, &Trial::new(), &twice, action(&pit, &twice, &["test"]), &never).unwrap_err();
    assert_eq!(error.code(), "AB0502");
    let elsewhere = RunChecks { repo: "other".parse().unwrap(), ..action(&pit, &judged, &["test"]) };
    assert_eq!(apply(&pit, &Trial::new(), &judged, elsewhere, &never).unwrap_err().code(), "AB0329");
}

#[test]
fn the_kill_switch_stops_a_running_check_and_those_after_it() {
    let pit = Sandpit::seeded();
    let specs = [shell("long", "sleep 600"), shell("next", "sleep 0.2")];
    let polled = std::cell::Cell::new(0);
    let soon = || {
        polled.set(polled.get() + 1);
        polled.get() > 3
    };
    let error =
        apply(&pit, &Trial::new(), &specs, action(&pit, &specs, &["long", "next"]), &soon).unwrap_err();
    assert_eq!(error.code(), "AB0504");
    let trial = Trial::new();
    let kill_unseen = || {
        trial.world.kill();
        false
    };
    let error = apply(&pit, &trial, &specs[1..], action(&pit, &specs[1..], &["next", "next"]), &kill_unseen)
        .unwrap_err();
    assert_eq!(error.code(), "AB0121");
}

#[test]
fn a_folder_that_leads_out_is_none() {
    let pit = Sandpit::seeded();
    std::os::unix::fs::symlink("/tmp", pit.work().join("out")).unwrap();
    pit.commit("link");
    for folder in ["out", "gone", "README.md"] {
        let specs = [CheckSpec { workdir: Some(folder.parse().unwrap()), ..shell("test", "true") }];
        let error = apply(&pit, &Trial::new(), &specs, action(&pit, &specs, &["test"]), &never).unwrap_err();
        assert_eq!(error.code(), "AB0503", "{folder}");
    }
}

#[test]
fn a_check_that_locks_its_folders_leaves_nothing() {
    let pit = Sandpit::seeded();
    let specs =
        [shell("lock", "mkdir -p a/b \"$HOME/c\"; touch a/b/x; chmod 000 a/b a \"$HOME/c\" \"$HOME\" .")];
    let receipt = apply(&pit, &Trial::new(), &specs, action(&pit, &specs, &["lock"]), &never).unwrap();
    assert!(receipt.outcome.passed());
}

#[test]
fn what_the_jail_says_counts_before_what_the_program_says() {
    let pit = Sandpit::seeded();
    let specs = [
        shell("leave", "exit 77"),
        shell("hog", "exit 78"),
        shell(
            "flood",
            "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
        ),
    ];
    let action = action(&pit, &specs, &["leave", "hog", "flood"]);
    let ran = apply(&pit, &Trial::new(), &specs, action, &never).unwrap().outcome;
    let seen: Vec<_> = ran.results.iter().map(|check| check.outcome.as_str()).collect();
    assert_eq!(seen, ["breach", "exhausted", "exhausted"]);
    assert!(!ran.passed());
    let why = ran.results[0].why.as_deref().unwrap();
    assert_eq!(why, "it tried to reach 192.0.2.1:9, to mount a file system [AB0953]");
    assert_eq!(ran.results[0].walls, ["files"]);
    assert!(ran.results[2].why.as_deref().unwrap().contains("printed more than"), "{:?}", ran.results[2]);
}

#[test]
fn a_jail_without_a_report_is_an_error_and_no_result() {
    let pit = Sandpit::seeded();
    let specs = [shell("lost", "exit 79")];
    let action = action(&pit, &specs, &["lost"]);
    assert_eq!(apply(&pit, &Trial::new(), &specs, action, &never).unwrap_err().code(), "AB0951");
}

/// A lease is decided about with the checks, and opened for one of them: on half of that nothing runs.
#[test]
fn a_check_runs_with_exactly_the_lease_that_it_asks_for() {
    let (pit, trial) = (Sandpit::seeded(), Trial::new());
    let specs = [CheckSpec { egress: Some("web".to_owned()), ..shell("ask", "touch ran") }];
    assert_eq!(leases(&specs), ["web"]);
    let judged = action(&pit, &specs, &["ask"]);
    for action in [RunChecks { egress: leases(&specs), ..judged.clone() }, judged] {
        let error = apply(&pit, &trial, &specs, action, &never).unwrap_err();
        assert_eq!(error.code(), "AB0958", "no lease was opened");
    }
}

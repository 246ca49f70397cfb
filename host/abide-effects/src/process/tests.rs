use super::*;

pub(crate) const LIMITS: ProcessLimits = ProcessLimits {
    wall_ms_max: 20_000,
    grace_ms: 300,
    cpu_s_max: 20,
    file_bytes_max: 1 << 20,
    output_bytes_max: 4096,
    printed_bytes_max: 1 << 40,
};

#[expect(clippy::disallowed_methods, reason = "a test reads the clock that the shell would give")]
pub(crate) fn monotonic() -> impl Fn() -> u64 {
    let start = std::time::Instant::now();
    move || u64::try_from(start.elapsed().as_millis()).unwrap()
}

/// Runs a shell script both ways, in a folder of its own, and shows the folder to `look`.
fn both_ways(
    script: &str,
    limits: ProcessLimits,
    cancelled: &dyn Fn() -> bool,
    look: impl Fn(&Ended, &Path),
) {
    let mut ways = vec![Containment::ProcessGroup];
    ways.extend(Some(Containment::probe()).filter(|way| *way == Containment::PidNamespace));
    for containment in ways {
        let folder = tempfile::tempdir().unwrap();
        let (work, private) = (folder.path().join("work"), folder.path().join("private"));
        std::fs::create_dir_all(&work).unwrap();
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        let env = BTreeMap::from([("SHOWN".to_owned(), "yes".to_owned())]);
        let job = Job { argv: &argv, folder: &work, private: &private, env: &env, limits };
        let clock = monotonic();
        let host = Host { path: "/usr/bin:/bin".to_owned(), monotonic_ms: &clock, containment };
        look(&run(&job, &host, cancelled).unwrap(), &work);
    }
}

fn never() -> bool {
    false
}

#[test]
fn status_and_output_come_back() {
    both_ways("echo out; echo err >&2; exit 3", LIMITS, &never, |ended, _| {
        assert_eq!((ended.ending, ended.output.text().as_str()), (Ending::Exit(3), "out\nerr\n"));
        assert!(ended.output.complete);
    });
}

#[test]
fn the_environment_is_cleared_and_stdin_is_empty() {
    both_ways("env | cut -d= -f1 | sort | tr '\\n' ' '; cat; echo $PATH", LIMITS, &never, |ended, _| {
        assert_eq!(ended.output.text(), "HOME LANG PATH PWD SHOWN TMPDIR /usr/bin:/bin\n");
    });
}

#[test]
fn arguments_are_not_looked_at_by_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let argv = ["/bin/echo", "$HOME;", "`id`", "a  b", "*"].map(str::to_owned);
    let clock = monotonic();
    let host = Host { path: "/bin".to_owned(), monotonic_ms: &clock, containment: Containment::probe() };
    let env = BTreeMap::new();
    let job = Job { argv: &argv, folder: folder.path(), private: folder.path(), env: &env, limits: LIMITS };
    assert_eq!(run(&job, &host, &never).unwrap().output.text(), "$HOME; `id` a  b *\n");
    assert!(matches!(run(&Job { argv: &[], ..job }, &host, &never), Err(ProcessError::Empty)));
}

#[test]
fn what_takes_too_long_is_asked_and_then_killed() {
    let limits = ProcessLimits { wall_ms_max: 1_500, grace_ms: 5_000, ..LIMITS };
    both_ways("trap 'echo bye; exit 0' TERM; while :; do sleep 0.02; done", limits, &never, |ended, _| {
        assert_eq!(ended.ending, Ending::Timeout);
        assert!(ended.output.text().ends_with("bye\n"), "{}", ended.output.text());
    });
    let limits = ProcessLimits { grace_ms: 100, ..limits };
    both_ways("trap '' TERM; while :; do sleep 0.02; done", limits, &never, |ended, _| {
        assert_eq!(ended.ending, Ending::Timeout);
    });
}

#[test]
fn a_cancelled_program_is_killed() {
    let asked = std::cell::Cell::new(0);
    let soon = || {
        asked.set(asked.get() + 1);
        asked.get() % 5 == 0
    };
    both_ways("sleep 600", LIMITS, &soon, |ended, _| assert_eq!(ended.ending, Ending::Cancelled));
}

/// A mark that only these processes carry in their command line.
fn alive(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(mark)).count()
}

#[test]
fn nothing_is_left_behind_on_any_ending() {
    let scripts = [
        ("in the background", "sleep 87601 & exit 0", "87601"),
        ("in another session", "setsid sleep 87602 & exit 0", "87602"),
        (
            "twice forked in another session",
            "(setsid sh -c 'sleep 87603 & sleep 87603' &) ; sleep 0.1; exit 0",
            "87603",
        ),
        ("after a timeout", "setsid sleep 87604 & sleep 87604", "87604"),
    ];
    for (what, script, mark) in scripts {
        let limits = ProcessLimits { wall_ms_max: 400, grace_ms: 50, ..LIMITS };
        both_ways(script, limits, &never, |ended, _| {
            // A killed process stays visible until its parent has reaped it.
            let gone = (0..1000).any(|_| {
                let gone = alive(mark) == 0;
                std::thread::sleep(Duration::from_millis(if gone { 0 } else { 10 }));
                gone
            });
            assert!(gone, "left behind {what}: {ended:?}");
        });
    }
}

#[test]
fn a_namespace_also_ends_what_clears_its_environment() {
    if Containment::probe() == Containment::ProcessGroup {
        return;
    }
    let script = "setsid env -i /bin/sleep 87605 & exit 0";
    let folder = tempfile::tempdir().unwrap();
    let argv = ["/bin/sh", "-c", script].map(str::to_owned);
    let clock = monotonic();
    let host = Host {
        path: "/usr/bin:/bin".to_owned(),
        monotonic_ms: &clock,
        containment: Containment::PidNamespace,
    };
    let env = BTreeMap::new();
    let job = Job { argv: &argv, folder: folder.path(), private: folder.path(), env: &env, limits: LIMITS };
    assert_eq!(run(&job, &host, &never).unwrap().ending, Ending::Exit(0));
    assert_eq!(alive("87605"), 0);
}

#[test]
fn files_and_core_dumps_are_bounded() {
    both_ways(
        "ulimit -c; ulimit -t; head -c 3000000 /dev/zero > big; wc -c < big",
        LIMITS,
        &never,
        |ended, work| {
            assert!(ended.output.text().starts_with("0\n20\n"), "{}", ended.output.text());
            assert_eq!(std::fs::metadata(work.join("big")).unwrap().len(), 1 << 20);
        },
    );
}

#[test]
fn a_flood_of_output_is_cut_and_does_not_block() {
    both_ways("head -c 5000000 /dev/zero | tr '\\0' x; echo end", LIMITS, &never, |ended, _| {
        assert_eq!(ended.ending, Ending::Exit(0));
        assert_eq!(ended.output.head.len() + ended.output.tail.len(), 4096);
        assert!(ended.output.text().ends_with("end\n"));
    });
}

/// What `main` of a program does that is killed while a check runs. Otherwise an empty test.
#[test]
#[expect(clippy::disallowed_methods, reason = "this plays the shell, which reads its environment")]
fn as_parent() {
    if std::env::var_os("TRIAL_PARENT").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let argv = ["/bin/sh", "-c", "setsid sleep 87606 & sleep 87606"].map(str::to_owned);
    let clock = monotonic();
    let host = Host {
        path: "/usr/bin:/bin".to_owned(),
        monotonic_ms: &clock,
        containment: Containment::PidNamespace,
    };
    let env = BTreeMap::new();
    let job = Job { argv: &argv, folder: folder.path(), private: folder.path(), env: &env, limits: LIMITS };
    panic!("{:?}", run(&job, &host, &never));
}

#[test]
fn a_check_ends_with_the_program_that_runs_it() {
    if Containment::probe() == Containment::ProcessGroup {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a test starts a program to kill it")]
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::tests::as_parent", "--nocapture"])
        .env("TRIAL_PARENT", "1")
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let within = |wanted: &dyn Fn() -> bool| {
        (0..500).any(|_| {
            wanted() || {
                std::thread::sleep(Duration::from_millis(10));
                false
            }
        })
    };
    assert!(within(&|| alive("sleep\x0087606") == 2), "the check runs");
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(within(&|| alive("sleep\x0087606") == 0), "the check outlived the program that ran it");
}

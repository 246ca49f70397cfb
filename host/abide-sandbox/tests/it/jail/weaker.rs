//! Hosts that give less: as another user, and without namespaces. What does not stand is told, and the rest holds.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A jail that is started by a script, which plays another host.
fn played(prefix: &str) -> (tempfile::TempDir, Jail) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host");
    std::fs::write(&path, format!("#!/bin/sh\nexec {prefix} {} \"$@\"\n", program().display())).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, Jail::of(path))
}

/// Root of a namespace that allows no other, and without the right to make the other kinds.
const NO_NAMESPACES: &str = "unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-sys_admin --inh-caps=-all \"$@\"' sh";

fn without_namespaces() -> Option<(tempfile::TempDir, Jail)> {
    let (folder, jail) = played(NO_NAMESPACES);
    let place = Place::new();
    let (_reader, writer) = std::io::pipe().unwrap();
    let started = jail.start(&place.cell("true"), writer).unwrap().report();
    if started.is_err() {
        eprintln!("skipped: this host plays no host without namespaces");
        return None;
    }
    Some((folder, jail))
}

#[test]
fn without_namespaces_landlock_and_seccomp_hold() {
    let Some((_folder, jail)) = without_namespaces() else { return };
    let place = Place::new();
    let kept = tempfile::tempdir().unwrap();
    std::fs::write(kept.path().join("key"), "private").unwrap();
    let script = format!(
        "echo ok > made.txt; cat made.txt; cat {0}/key; ls /root /home; echo x > /usr/x; echo x > {0}/x; \
         python3 -c 'import socket; socket.socket()'; python3 -c 'import socket; socket.socket(socket.AF_UNIX)'; \
         python3 -c 'import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)'; kill -9 {1}; cat /proc/{1}/environ; true",
        kept.path().display(),
        std::process::id()
    );
    let came = put(&jail, &place.cell(&script));
    assert_eq!(came.ended().ending, Ending::Exit(0), "{came:?}");
    assert!(came.output.starts_with("ok\n") && !came.output.contains("private"), "{came:?}");
    assert!(!kept.path().join("x").exists() && !exists("/usr/x"));
    assert_eq!(
        came.output.matches("PermissionError").count() + came.output.matches("OSError").count(),
        3,
        "{came:?}"
    );
    for what in ["the internet (IPv4)", "the host (AF_UNIX)"] {
        assert!(came.ended().tried.iter().any(|one| one.contains(what)), "{came:?}");
    }
    for wall in &came.report.walls {
        assert!(wall.stands, "{wall:?}");
        assert_eq!(
            ["files", "network", "processes"].contains(&wall.name.as_str()),
            wall.what.contains("(no "),
            "{wall:?}"
        );
    }
}

/// A way out is one of the jail's own network: where there is none, nothing is started.
#[test]
fn without_a_network_of_its_own_there_is_no_way_out() {
    let Some((_folder, jail)) = without_namespaces() else { return };
    let place = Place::new();
    let cell = Cell { exit: true, ..place.cell("touch started") };
    let (_reader, writer) = std::io::pipe().unwrap();
    let mut inmate = jail.start(&cell, writer).unwrap();
    assert!(inmate.take_exit().is_none());
    let why = inmate.report().unwrap().ended.unwrap_err();
    assert!(why.contains("egress takes a network of its own") && why.ends_with("[AB0957]"), "{why}");
    assert!(!place.work().join("started").exists());
}

#[test]
fn without_a_pid_namespace_what_forks_away_is_found_and_killed() {
    let Some((_folder, jail)) = without_namespaces() else { return };
    for (script, mark) in [
        ("setsid env -i /bin/sleep 98601 </dev/null >/dev/null 2>&1 & exit 0", "98601"),
        ("(setsid sh -c 'setsid sleep 98602 & exit 0' &); sleep 0.1; exit 0", "98602"),
        ("setsid sleep 98603 & kill -9 $PPID; sleep 98603", "98603"),
    ] {
        let place = Place::new();
        let (_reader, writer) = std::io::pipe().unwrap();
        // The last one kills the process that would report: then there is no report, which counts for nothing, and still nobody is left.
        drop(jail.start(&place.cell(script), writer).unwrap().report());
        gone(mark);
    }
}

#[test]
fn without_namespaces_caps_hold_as_well() {
    let Some((_folder, jail)) = without_namespaces() else { return };
    let place = Place::new();
    let mut cell = place.cell("for i in $(seq 90); do sleep 98621 & done; wait");
    cell.limits.processes_max = 60;
    let came = put(&jail, &cell);
    assert_eq!(came.ended().over, Some(Over::Processes), "{came:?}");
    gone("98621");
}

#[test]
fn a_wall_that_is_required_and_does_not_stand_starts_nothing() {
    // A jail inside of a jail gets no namespace, may not look at /proc, and cannot be asked: there is one who answers already.
    let Some((_folder, jail)) = without_namespaces() else { return };
    let place = Place::new();
    let mut cell = place.cell("echo started");
    cell.required = WALLS.map(str::to_owned).to_vec();
    assert_eq!(put(&jail, &cell).output, "started\n");
    let outside = place.folder.path().join("not-there");
    cell.work = outside;
    let came = put(&self::jail(), &cell);
    let why = came.report.ended.unwrap_err();
    assert!(why.contains("could not be started"), "{why}: {:?}", came.report.walls);
    assert_eq!(came.output, "");
}

/// The same suite as nobody: started again by root, for whom nothing else stands for a user without rights.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test starts itself again")]
fn the_suite_passes_as_nobody() {
    if !rustix_is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let me = folder.path().join("suite");
    let runner = folder.path().join("abide-runner");
    std::fs::copy(std::env::current_exe().unwrap(), &me).unwrap();
    std::fs::copy(program(), &runner).unwrap();
    let said = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&me)
        .args(["jail::", "--skip", "the_suite_passes_as_nobody", "--test-threads=2"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TMPDIR", folder.path())
        .env("ABIDE_RUNNER", &runner)
        .current_dir("/")
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

fn rustix_is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t"))
}

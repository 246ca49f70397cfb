//! A network of a test's own, where every address of the world is this machine: whatever a program dials, somebody listens and counts.
//!
//! No container engine and no rights are needed: the test starts itself again by `unshare`, in namespaces of its own. Nothing leaves such a
//! network, and nothing in it reaches the network of the host.

use std::process::{Command, Stdio};

/// What says that this process is the one within.
const WITHIN: &str = "ABIDE_WITHIN_NAMESPACE";

/// All of IPv4 and IPv6 is delivered here, and names are asked of this network's own loopback.
const SETUP: &str = r#"set -e
ip link set lo up
ip route add local 0.0.0.0/0 dev lo
ip route add multicast 224.0.0.0/4 dev lo 2>/dev/null || true
ip -6 route add local ::/0 dev lo
# Programs that look for a network besides loopback find one. It leads nowhere: all addresses are this machine's already.
ip link add out type veth peer name far && ip link set far up && ip addr add 10.9.8.7/24 dev out && ip link set out up || true
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' > "$1/resolv.conf"
mount --bind "$1/resolv.conf" /etc/resolv.conf
shift
exec "$@"
"#;

/// Runs `body` in a network of its own. `test` is the full name of the test that calls, by which it is
/// started again. Where the host has no namespaces for us it says so, and fails only if `ABIDE_REQUIRE_BROWSER=1`.
#[track_caller]
pub fn within(test: &str, body: impl FnOnce()) {
    if std::env::var_os(WITHIN).is_some() {
        return body();
    }
    if let Err(why) = tried() {
        let is_required = std::env::var_os("ABIDE_REQUIRE_BROWSER").is_some_and(|value| value == "1");
        assert!(!is_required, "no network of its own: {why}");
        eprintln!("skipped: no network of its own: {why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = unshared(folder.path());
    command.arg(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--include-ignored", "--nocapture"]).env(WITHIN, "1");
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    eprintln!("{told}");
    assert!(output.status.success(), "it failed within: {}", output.status);
    // A wrong name would run nothing, and that is a success.
    assert!(told.contains("1 passed"), "no test is called `{test}`");
}

/// `sh` that sets the network up and becomes the program that follows.
fn unshared(folder: &std::path::Path) -> Command {
    let mut command = Command::new("unshare");
    // Everybody stays who they are: what runs within may behave differently for root. Only root needs no user namespace for it.
    if !is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.args(["--net", "--mount", "--", "/bin/sh", "-c", SETUP, "sh"]).arg(folder);
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Whether it can be done here, or why not.
fn tried() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let output = unshared(folder.path()).arg("true").output().map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

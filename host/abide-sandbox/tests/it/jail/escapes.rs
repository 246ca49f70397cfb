//! What tries to get out is refused, and named.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::*;

/// What python does with an address.
fn python(body: &str) -> String {
    format!("python3 -c '\nimport socket,os,ctypes\n{body}\n'")
}

#[track_caller]
fn tried(came: &Came, what: &str) {
    assert!(came.ended().tried.iter().any(|one| one.contains(what)), "{what}: {came:?}");
}

#[test]
fn the_loopback_of_the_host_is_not_that_of_the_jail() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Place::new().run(&python(&format!("socket.create_connection((\"127.0.0.1\", {port}))")));
    assert_eq!(came.ended().ending, Ending::Exit(1));
    assert!(came.output.contains("ConnectionRefusedError"), "{came:?}");
    assert!(came.ended().missed[0].contains(&format!("127.0.0.1:{port}")), "{came:?}");
    assert!(listener.accept().is_err(), "nobody came");
}

#[test]
fn a_server_of_the_check_itself_can_be_reached() {
    let came = Place::new().run(&python(
        "s=socket.socket(); s.bind((\"127.0.0.1\",0)); s.listen()\nc=socket.create_connection(s.getsockname()); c.send(b\"x\")\n\
         u=socket.socket(socket.AF_UNIX); u.bind(\"own.sock\"); u.listen(); socket.socket(socket.AF_UNIX).connect(\"own.sock\")\n\
         a=socket.socket(socket.AF_UNIX); a.bind(\"\\0own\"); a.listen(); socket.socket(socket.AF_UNIX).connect(\"\\0own\")\n\
         print(socket.getfqdn(), socket.gethostbyname(\"localhost\"))",
    ));
    assert_eq!(came.output, "jail 127.0.0.1\n", "{came:?}");
    assert!(came.ended().tried.is_empty() && came.ended().missed.is_empty(), "{came:?}");
}

#[test]
fn an_address_out_there_is_refused_and_named_though_the_check_goes_on() {
    let came = Place::new().run(&python(
        "for what in (lambda: socket.create_connection((\"192.0.2.7\", 443)), lambda: socket.socket(socket.AF_INET6).connect((\"2001:db8::5\", 80)), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b\"x\", (\"192.0.2.9\", 9)), lambda: socket.getaddrinfo(\"example.org\", 80)):\n  try: what(); print(\"out\")\n  except OSError as e: pass",
    ));
    assert_eq!((came.output.as_str(), came.ended().ending), ("", Ending::Exit(0)), "{came:?}");
    for what in ["reach 192.0.2.7:443", "reach [2001:db8::5]:80", "reach 192.0.2.9:9", "look up a host name"]
    {
        tried(&came, what);
    }
}

#[test]
fn local_sockets_of_the_host_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let agent = UnixListener::bind(&path).unwrap();
    let name = format!("abide-test-{}", std::process::id());
    let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    for one in [&agent, &hidden] {
        one.set_nonblocking(true).unwrap();
    }
    let came = Place::new().run(&python(&format!(
        "for at in (\"{}\", \"\\0{name}\", \"/run/docker.sock\"):\n  try: socket.socket(socket.AF_UNIX).connect(at); print(\"out\", at)\n  except OSError as e: print(e.errno)",
        path.display()
    )));
    assert!(!came.output.contains("out"), "{came:?}");
    tried(&came, "/run/docker.sock");
    tried(&came, &format!("@{name}"));
    assert!(agent.accept().is_err() && hidden.accept().is_err(), "nobody came");
}

#[test]
fn calls_that_lead_elsewhere_are_refused_and_named() {
    let came = Place::new().run(&python(
        "c=ctypes.CDLL(None, use_errno=True)\n\
         print(c.mount(b\"none\", b\"/tmp\", b\"tmpfs\", 0, None), c.unshare(0x10000000), c.ptrace(16, os.getppid(), 0, 0), c.chroot(b\".\"), c.setns(0, 0))\n\
         for family in (16, 17, 40):\n  try: socket.socket(family, socket.SOCK_RAW); print(\"out\", family)\n  except OSError: pass\n\
         print(c.syscall(425, 1, 0), c.syscall(250, 0, 0), c.syscall(298, 0, 0, -1, -1, 0), c.syscall(0x40000000 + 39))",
    ));
    let refused = "-1 -1 -1 -1 -1\n-1 -1 -1 -1\n";
    assert_eq!(came.output, refused, "{came:?}");
    for what in [
        "mount a file",
        "make a namespace",
        "trace a process",
        "root folder",
        "enter another",
        "AF_PACKET",
        "AF_VSOCK",
    ] {
        tried(&came, what);
    }
}

#[test]
fn the_keys_of_the_host_are_not_there() {
    let kept = tempfile::tempdir().unwrap();
    std::fs::create_dir(kept.path().join(".ssh")).unwrap();
    std::fs::write(kept.path().join(".ssh/id_ed25519"), "private").unwrap();
    let key = kept.path().join(".ssh/id_ed25519");
    let place = Place::new();
    std::os::unix::fs::symlink(&key, place.work().join("link")).unwrap();
    let came = place.run(&format!("cat {0} link ~/.ssh/id_ed25519 /proc/1/root{0} /proc/1/environ /proc/1/mem /proc/1/fd/0; ls -d /root /home/[!c]*", key.display()));
    assert_ne!(came.ended().ending, Ending::Exit(0));
    assert!(!came.output.contains("private\n") && !came.output.contains("root\n/"), "{came:?}");
}

#[test]
fn a_datagram_without_a_connection_reaches_nobody() {
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Place::new().run(&python(&format!(
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b\"x\"], [], 0, (\"127.0.0.1\", {port}))"
    )));
    assert_eq!(came.ended().ending, Ending::Exit(0), "{came:?}");
    assert!(listener.recv(&mut [0]).is_err(), "nothing came");
}

#[test]
fn no_signal_hurts_the_process_that_holds_it_from_the_first_moment_on() {
    // The moment is short: the first signal has to come before the process that started this one goes on.
    for signal in [
        "TERM", "INT", "QUIT", "HUP", "ABRT", "SEGV", "USR1", "ALRM", "KILL", "TERM", "TERM", "TERM", "TERM",
        "TERM",
    ] {
        let came = Place::new().run(&format!("kill -{signal} 1; kill -{signal} 1; exit 3"));
        assert_eq!(came.ended().ending, Ending::Exit(3), "{signal}: {came:?}");
    }
}

#[test]
fn the_process_that_holds_it_cannot_be_hurt() {
    let came = Place::new()
        .run("kill -9 1; kill -9 $PPID; kill -TERM 1; echo x > /proc/1/mem; echo still here; exit 3");
    assert_eq!(came.ended().ending, Ending::Exit(3), "{came:?}");
    assert!(came.output.contains("still here"), "{came:?}");
}

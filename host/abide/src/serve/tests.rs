//! One connection at a time, with small limits: who does not read is cut off, and work that nobody waits for keeps its seat.

use std::collections::BTreeMap;

use abide_gate::Bundle;
use tokio::net::UnixStream;

use super::*;

const LIMITS: Limits = Limits { at_once_max: 1, request_ms_max: 20, write_ms_max: 100, ..Limits::SHIPPED };

/// A policy that takes a while to answer at `abide/slow`.
fn house(limits: Limits) -> Arc<House> {
    let text = "package abide\n\ndecision := {\"verdict\": \"deny\", \"findings\": []}\n\nslow := count([1 | some a in data.many; some b in data.many; some c in data.many; a + b + c == 0])\n";
    let modules = BTreeMap::from([("slow.rego".to_owned(), text.to_owned())]);
    let many: Vec<u32> = (1..200).collect();
    let bundle = Bundle::load(modules, serde_json::json!({ "many": many })).unwrap();
    let at_once = Arc::new(Semaphore::new(limits.at_once_max));
    Arc::new(House { desk: Arc::new(Desk::new(bundle, None, false)), at_once, limits, is_tcp: true })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn write(stream: &UnixStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        stream.writable().await.unwrap();
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
}

/// Reads until `end` has come, or the other side has closed.
async fn read(stream: &UnixStream, end: &str) -> String {
    let mut found = Vec::new();
    while !String::from_utf8_lossy(&found).contains(end) {
        stream.readable().await.unwrap();
        let mut bytes = [0; 4096];
        match stream.try_read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => found.extend_from_slice(&bytes[..count]),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    String::from_utf8_lossy(&found).into_owned()
}

#[test]
fn who_does_not_take_an_answer_is_cut_off() {
    runtime().block_on(async {
        let (client, end) = UnixStream::pair().unwrap();
        let graceful = GracefulShutdown::new();
        let talk = connection(house(LIMITS), Box::new(end), graceful.watcher());
        let greedy = async {
            let one = b"GET /v1/policies HTTP/1.1\r\nHost: localhost\r\n\r\n";
            // As many as the server takes; their answers are more than a socket holds, and nobody reads one.
            for _ in 0..20_000 {
                if client.try_write(one).is_err() {
                    tokio::task::yield_now().await;
                }
            }
            std::future::pending::<()>().await;
        };
        let ended = async {
            tokio::select! { () = talk => true, () = greedy => false }
        };
        let ended = timeout(Duration::from_secs(20), ended).await;
        assert_eq!(ended, Ok(true), "the connection is still held by who does not read");
    });
}

#[test]
fn work_that_nobody_waits_for_keeps_its_seat_until_it_has_ended() {
    runtime().block_on(async {
        let house = house(LIMITS);
        let (client, end) = UnixStream::pair().unwrap();
        let graceful = GracefulShutdown::new();
        let talk = tokio::spawn(connection(Arc::clone(&house), Box::new(end), graceful.watcher()));
        write(&client, b"GET /v1/data/abide/slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let told = read(&client, "no answer within").await;
        assert!(told.starts_with("HTTP/1.1 503"), "{told}");
        assert_eq!(house.at_once.available_permits(), 0, "the work goes on, and its seat is free");
        // It ends by its own deadline, and then the seat is free.
        let free = Arc::clone(&house.at_once).acquire_owned();
        assert!(timeout(Duration::from_secs(20), free).await.is_ok());
        talk.abort();
    });
}

#[test]
fn an_answer_is_no_page() {
    runtime().block_on(async {
        let (client, end) = UnixStream::pair().unwrap();
        let graceful = GracefulShutdown::new();
        let talk = tokio::spawn(connection(house(Limits::SHIPPED), Box::new(end), graceful.watcher()));
        write(&client, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let told = read(&client, "{}").await.to_ascii_lowercase();
        assert!(told.contains("\r\nx-content-type-options: nosniff\r\n"), "{told}");
        talk.abort();
    });
}

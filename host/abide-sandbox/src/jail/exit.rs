//! The way out of a jail: a port of its own loopback, which nobody inside serves.
//!
//! The jail binds the port and gives the listener away over its control socket, before it raises its walls. A socket stays in the network in which it was made, so
//! whoever has the listener (the broker's proxy, outside) takes what is connected to it in here; nothing of the host is shown to the jail for that, and no process
//! in it forwards anything.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;

use super::start::Offer;
use crate::runner::{pipe, wire};

/// The variables by which programs find their proxy. Some read the small ones alone, some the large ones.
const VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
/// Where no proxy is asked: the jail's own loopback.
const DIRECT: &str = "localhost,127.0.0.1,::1";

/// Gives a listener to the other side, and says where it listens; or why there is none.
pub(super) fn offer(
    own_network: &Result<(), String>,
    control: &mut UnixStream,
) -> Result<SocketAddr, String> {
    let made = match own_network {
        Ok(()) => made().map_err(|error| format!("no way out could be made: {error}")),
        Err(why) => Err(format!("egress takes a network of its own, and this jail has none: {why}")),
    };
    let told = match &made {
        Ok((listener, _)) => {
            let offered = wire::send(control, &Offer::Listener).map_err(|error| error.to_string());
            offered.and_then(|()| pipe::send(control, listener).map_err(|error| error.to_string()))
        }
        Err(_) => wire::send(control, &Offer::None).map_err(|error| error.to_string()),
    };
    let (_, at) = made.map_err(|why| format!("{why} [AB0957]"))?;
    told.map_err(|why| format!("the way out could not be given away: {why} [AB0957]"))?;
    Ok(at)
}

fn made() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let at = listener.local_addr()?;
    Ok((listener, at))
}

/// What a program is told of its proxy.
pub(super) fn variables(at: SocketAddr) -> Vec<(&'static str, String)> {
    let proxy = VARIABLES.map(|name| (name, format!("http://{at}")));
    let direct = ["NO_PROXY", "no_proxy"].map(|name| (name, DIRECT.to_owned()));
    proxy.into_iter().chain(direct).collect()
}

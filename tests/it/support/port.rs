//! Ports of programs whose address has to be known before they start: a public URL names it, or a proxy in front.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port on loopback that is given to nobody else. A program listens on it by its address, as often as it is started.
pub struct Port {
    pub address: SocketAddr,
    /// Bound, and never listening. On Linux a program may bind it all the same, since both say `SO_REUSEADDR`; elsewhere
    /// it could not, so there the port is only chosen.
    _reserved: Option<TcpSocket>,
}

impl Port {
    pub fn reserve() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(ANY).unwrap();
        Self { address: socket.local_addr().unwrap(), _reserved: cfg!(target_os = "linux").then_some(socket) }
    }
}

/// For a program that can be asked where it listens.
pub const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

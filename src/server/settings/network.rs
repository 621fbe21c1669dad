//! Networks and addresses.

use std::net::IpAddr;

use ipnet::IpNet;

/// How they are written.
pub(super) const FORM: &str = "write it as 10.0.0.7 or 10.0.0.0/8";
/// The length of the network `::ffff:0:0`, in which IPv6 has the addresses of IPv4.
const MAPPED: u8 = 96;

/// A network, or an address as a network of its own. What is mapped from IPv4 is IPv4, as with the peers.
pub(super) fn parse(text: &str) -> Result<IpNet, String> {
    let network = text
        .parse::<IpNet>()
        .map(|net| net.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("is {text:?}, neither an address nor a network"))?;
    let mapped = match network.addr() {
        IpAddr::V6(address) => address.to_ipv4_mapped().zip(network.prefix_len().checked_sub(MAPPED)),
        IpAddr::V4(_) => None,
    };
    let unmapped = mapped.and_then(|(address, length)| IpNet::new(address.into(), length).ok());
    Ok(unmapped.unwrap_or(network))
}

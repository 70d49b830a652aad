//! Keeps webhooks out of networks that are nobody's business: this machine, the shop's own network, a cloud's metadata (SSRF).
//!
//! Two doors are watched: an address in the URL itself, which never reaches a resolver, and every address that a name resolves to at the moment of
//! connecting, so that a name that changes its mind between check and use gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use url::{Host, Url};

/// A network in CIDR form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Network {
    Network { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
}

const fn v6(first: u16, second: u16, third: u16, bits: u8) -> Network {
    Network { address: IpAddr::V6(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0)), bits }
}

/// Networks that are not the public Internet (IANA's special-purpose registries). IPv4 written as IPv6 (`::ffff:…`) is checked as IPv4.
const BLOCKED: [Network; 23] = [
    v4(0, 0, 0, 0, 8),       // "this" network
    v4(10, 0, 0, 0, 8),      // private
    v4(100, 64, 0, 0, 10),   // carrier-grade NAT
    v4(127, 0, 0, 0, 8),     // this machine
    v4(169, 254, 0, 0, 16),  // link-local, cloud metadata
    v4(172, 16, 0, 0, 12),   // private
    v4(192, 0, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation
    v4(192, 88, 99, 0, 24),  // 6to4 relays
    v4(192, 168, 0, 0, 16),  // private
    v4(198, 18, 0, 0, 15),   // benchmarks
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved, broadcast
    // Of IPv6 only 2000::/3 is the public Internet: the other three blocks hold this machine, NAT64, private, link-local and multicast networks.
    v6(0, 0, 0, 3),
    v6(0x4000, 0, 0, 2),
    v6(0x8000, 0, 0, 1),
    v6(0x2001, 0, 0, 23),     // protocol assignments, Teredo
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x2002, 0, 0, 16),     // 6to4: any IPv4 network
    v6(0x3ffe, 0, 0, 16),     // former experiments
    v6(0x3fff, 0, 0, 20),     // documentation
];

impl Network {
    /// Reads `192.168.1.20/32` or `fd00::/8`; without a slash one address is meant.
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || format!("'{text}' is not a network: expected e.g. 192.168.1.20/32 or fd00::/8");
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| expected()))?;
        if bits > most { Err(expected()) } else { Ok(Self { address, bits }) }
    }

    fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => leading_bits_equal(u128::from(own.to_bits()) << 96, u128::from(other.to_bits()) << 96, self.bits),
            (IpAddr::V6(own), IpAddr::V6(other)) => leading_bits_equal(own.to_bits(), other.to_bits(), self.bits),
            _ => false,
        }
    }
}

fn leading_bits_equal(a: u128, b: u128, bits: u8) -> bool {
    (a ^ b).checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
}

/// Why a target was not connected to.
#[derive(Debug)]
pub struct Blocked(pub String);

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is in a network that webhooks may not reach; allow_private can allow it", self.0)
    }
}

impl std::error::Error for Blocked {}

/// What one target may reach: the public Internet, and the networks it was allowed on top.
#[derive(Clone, Debug)]
pub struct Guard {
    allowed: Arc<[Network]>,
}

impl Guard {
    /// A guard that allows these networks too, each in CIDR form.
    ///
    /// # Errors
    /// A sentence for the first that is no network.
    pub fn new(allow_private: &[String]) -> Result<Self, String> {
        let allowed: Result<Vec<Network>, String> = allow_private.iter().map(|text| Network::parse(text)).collect();
        Ok(Self { allowed: allowed?.into() })
    }

    /// Whether this address may be connected to.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let within = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
        !within(&BLOCKED) || within(&self.allowed)
    }

    /// Checks a target's URL as far as that goes without asking a name server: scheme, no user in it, port, and an address as host. The URL parser
    /// knows all spellings of addresses (`127.1`, `0x7f000001`, `①②⑦.0.0.1` …), and what it makes of them is what is connected to.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check_url(&self, url: &str, allow_http: bool) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("'{url}' is not a URL: {error}"))?;
        if url.scheme() != "https" && !(allow_http && url.scheme() == "http") {
            return Err(format!("'{}' is not a scheme for this webhook: expected https", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a user name or password in the URL is not allowed".to_owned());
        }
        if let Some(port) = url.port_or_known_default().filter(|port| *port < 1024 && !matches!(port, 80 | 443)) {
            return Err(format!("port {port} belongs to another protocol: expected 443, 80 or one from 1024"));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err("the URL has no host".to_owned()),
        };
        match address.filter(|address| !self.permits(*address)) {
            Some(address) => Err(Blocked(address.to_string()).to_string()),
            None => Ok(url),
        }
    }
}

impl reqwest::dns::Resolve for Guard {
    /// Asks the system's resolver and hands on only what is permitted: the address that was checked is the one that is connected to.
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let permitted: Vec<SocketAddr> = found.into_iter().filter(|address| guard.permits(address.ip())).collect();
            if permitted.is_empty() {
                return Err(Blocked(name.as_str().to_owned()).into());
            }
            let addresses: reqwest::dns::Addrs = Box::new(permitted.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_networks_are_closed_up_to_their_edges_and_the_internet_is_open() {
        let guard = Guard::new(&[]).unwrap();
        let permits = |text: &str| guard.permits(text.parse().unwrap());
        for blocked in [
            "0.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "3ffe::1",
            "4000::1",
            "8000::1",
            "fbff::1",
        ] {
            assert!(!permits(blocked), "{blocked}");
        }
        for open in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
        ] {
            assert!(permits(open), "{open}");
        }
    }

    #[test]
    fn an_allowed_network_opens_exactly_itself() {
        let guard = Guard::new(&["192.168.1.20/32".to_owned(), "fd00::/8".to_owned(), "10.1.2.3".to_owned()]).unwrap();
        let permits = |text: &str| guard.permits(text.parse().unwrap());
        assert!(permits("192.168.1.20") && permits("::ffff:192.168.1.20") && permits("fd12::1") && permits("10.1.2.3"));
        assert!(!permits("192.168.1.21") && !permits("fc00::1") && !permits("10.1.2.4") && !permits("127.0.0.1"));
        for bad in ["192.168.1.0/33", "x/8", "::/129", "192.168.1/24", "10.0.0.0/-1", ""] {
            assert!(Guard::new(&[bad.to_owned()]).unwrap_err().contains("is not a network: expected e.g. 192.168.1.20/32"), "{bad}");
        }
        assert!(Guard::new(&["0.0.0.0/0".to_owned()]).unwrap().permits("127.0.0.1".parse().unwrap()));
    }
}

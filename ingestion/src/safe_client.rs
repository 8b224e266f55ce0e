//! The one door to web addresses that somebody else names: a page to ingest, a link on it, a redirect.
//!
//! A name is resolved once, every address of the answer is checked, and the connection goes to those
//! checked addresses, so that a second answer of a hostile name server is never asked for. A redirect is
//! not followed by itself: [`SafeClient::once`] hands it back, and [`SafeClient::get`] follows a few, each
//! checked like the first. No proxy, no cookies, no compression, bounds on time and bytes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use domain::ingestion::{Failure, failure};
use reqwest::header::{self, HeaderMap};
use url::{Host, Url};

/// How long the checked addresses of a host are kept.
const KEPT: Duration = Duration::from_secs(60);
/// Hosts kept at most.
const MOST_KEPT: usize = 64;
/// Longest address that is looked at.
const LONGEST: usize = 2_000;

/// Bounds of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a body.
    pub bytes: usize,
    /// Longest time from the first look at the address to the last byte.
    pub time: Duration,
    /// Most redirects that [`SafeClient::get`] follows.
    pub redirects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 10 << 20, time: Duration::from_secs(10), redirects: 3 }
    }
}

/// Names to addresses. The system's is the default; tests give their own.
#[async_trait::async_trait]
pub trait Resolve: Send + Sync {
    /// Every address of a name.
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

struct System;

#[async_trait::async_trait]
impl Resolve for System {
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Why an address was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an address that is fetched at all.
    #[error("the address {0}; give a plain https address")]
    BadAddress(String),
    /// It leads into a private network, or to nowhere on the public one.
    #[error("the host \"{0}\" is not on the public internet; such addresses are never fetched")]
    PrivateAddress(String),
    /// One redirect too many.
    #[error("the address redirects more than {0} times; give the address that it ends at")]
    TooManyRedirects(usize),
    /// The body is larger than the limit, in bytes.
    #[error("the answer is larger than {} KiB; take a part of it", .0 >> 10)]
    TooLarge(usize),
    /// It took longer than the limit.
    #[error("the host did not answer within {} s; try again later", .0.as_secs())]
    TooSlow(Duration),
    /// No connection, no name, no certificate, or a broken answer.
    #[error("the host cannot be reached: {0}")]
    Unreachable(String),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let code = match refused {
            Refused::BadAddress(_) => failure::BAD_ADDRESS,
            Refused::PrivateAddress(_) => failure::PRIVATE_ADDRESS,
            Refused::TooManyRedirects(_) => failure::TOO_MANY_REDIRECTS,
            Refused::TooLarge(_) => failure::TOO_LARGE,
            Refused::TooSlow(_) => failure::TOO_SLOW,
            Refused::Unreachable(_) => failure::OFFLINE,
        };
        Self::new(code, refused.to_string())
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The address that answered.
    pub url: Url,
    /// HTTP status.
    pub status: u16,
    /// Where it redirects to, for a redirect; not looked at yet.
    pub redirect: Option<Url>,
    /// `Content-Type`, in lower case.
    pub media_type: String,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
    /// The body; empty for a redirect.
    pub body: Vec<u8>,
}

/// What a stored answer is asked again with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// For `If-None-Match`.
    pub etag: Option<String>,
    /// For `If-Modified-Since`.
    pub last_modified: Option<String>,
}

/// Checked addresses of a host, and the client that goes nowhere else.
struct Pinned {
    since: Instant,
    client: reqwest::Client,
}

/// The guarded client. Cheap to clone; clones share what was resolved.
#[derive(Clone)]
pub struct SafeClient {
    limits: Limits,
    /// `host:port` entries that may be private and without TLS.
    excepted: Arc<Vec<String>>,
    resolver: Arc<dyn Resolve>,
    pinned: Arc<Mutex<HashMap<String, Pinned>>>,
}

impl SafeClient {
    /// A client. Of `hosts` only entries with a port (`127.0.0.1:8080`) matter: they alone may be private and
    /// without TLS, as for tests and a site of one's own network.
    #[must_use]
    pub fn new(limits: Limits, hosts: &[String]) -> Self {
        let excepted = hosts.iter().map(|host| host.trim().to_ascii_lowercase()).filter(|host| host.contains(':'));
        Self { limits, excepted: Arc::new(excepted.collect()), resolver: Arc::new(System), pinned: Arc::default() }
    }

    /// The same client with other names.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Fetches an address and follows a few redirects, each checked like the first.
    ///
    /// # Errors
    /// [`Refused`], before any connection where the address alone says so.
    pub async fn get(&self, address: &str) -> Result<Answer, Refused> {
        let follow = async {
            let mut url = self.address(address)?;
            for _ in 0..=self.limits.redirects {
                let answer = self.fetch(&url, &Known::default()).await?;
                match answer.redirect {
                    Some(next) => url = self.address(next.as_str())?,
                    None => return Ok(answer),
                }
            }
            Err(Refused::TooManyRedirects(self.limits.redirects))
        };
        self.timed(follow).await
    }

    /// Fetches an address; a redirect is answered, not followed.
    ///
    /// # Errors
    /// [`Refused`], before any connection where the address alone says so.
    pub async fn once(&self, address: &str, known: &Known) -> Result<Answer, Refused> {
        let url = self.address(address)?;
        self.timed(self.fetch(&url, known)).await
    }

    /// The address as it is fetched: https, a public-looking host, no login, no odd port, no fragment.
    ///
    /// # Errors
    /// [`Refused::BadAddress`] or [`Refused::PrivateAddress`]; names are not resolved here.
    pub fn address(&self, address: &str) -> Result<Url, Refused> {
        let bad = |why: &str| Err(Refused::BadAddress(why.to_owned()));
        let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if address.is_empty() || address.len() > LONGEST || address.chars().any(odd) {
            return bad("is empty, too long or has unusual characters");
        }
        let mut url = match Url::parse(address) {
            Ok(url) => url,
            Err(error) => return bad(&format!("cannot be read ({error})")),
        };
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return bad("carries a login");
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return bad("names no host");
        };
        if self.excepted(&host, port) {
            return if matches!(url.scheme(), "http" | "https") { Ok(url) } else { bad("is no web address") };
        }
        match host {
            Host::Domain(name) if private_name(name) => return Err(Refused::PrivateAddress(name.to_owned())),
            Host::Ipv4(ip) if !public(ip.into()) => return Err(Refused::PrivateAddress(ip.to_string())),
            Host::Ipv6(ip) if !public(ip.into()) => return Err(Refused::PrivateAddress(ip.to_string())),
            _ => {}
        }
        match (url.scheme(), port) {
            ("https", 443) => Ok(url),
            ("https", _) => bad("has an unusual port"),
            ("http", _) => bad("is not encrypted"),
            _ => bad("is no web address"),
        }
    }

    fn excepted(&self, host: &Host<&str>, port: u16) -> bool {
        self.excepted.contains(&format!("{host}:{port}").to_ascii_lowercase())
    }

    async fn timed<T>(&self, work: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
        tokio::time::timeout(self.limits.time, work).await.unwrap_or(Err(Refused::TooSlow(self.limits.time)))
    }

    async fn fetch(&self, url: &Url, known: &Known) -> Result<Answer, Refused> {
        let client = self.client(url).await?;
        let mut request = client.get(url.clone());
        for (name, value) in [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.last_modified)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let headers = response.headers();
        let said = |name: header::HeaderName| text(headers, &name);
        let location = said(header::LOCATION).filter(|_| (300..400).contains(&status) && status != 304);
        let redirect = location.and_then(|location| url.join(&location).ok());
        let mut answer = Answer {
            url: url.clone(),
            status,
            redirect,
            media_type: said(header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase(),
            etag: said(header::ETAG),
            last_modified: said(header::LAST_MODIFIED),
            body: Vec::new(),
        };
        if answer.redirect.is_some() {
            return Ok(answer);
        }
        let most = self.limits.bytes;
        if response.content_length().is_some_and(|length| length > most as u64) {
            return Err(Refused::TooLarge(most));
        }
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            if answer.body.len() + part.len() > most {
                return Err(Refused::TooLarge(most));
            }
            answer.body.extend_from_slice(&part);
        }
        Ok(answer)
    }

    /// The client of a host, which connects to its checked addresses alone.
    async fn client(&self, url: &Url) -> Result<reqwest::Client, Refused> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Refused::BadAddress("names no host".into()));
        };
        let name = format!("{host}:{port}");
        if let Ok(mut pinned) = self.pinned.lock() {
            pinned.retain(|_, pinned| pinned.since.elapsed() < KEPT);
            if let Some(known) = pinned.get(&name) {
                return Ok(known.client.clone());
            }
        }
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(self.limits.time)
            .timeout(self.limits.time)
            .user_agent(concat!("lyceum/", env!("CARGO_PKG_VERSION"), " (course content; respects robots.txt)"));
        if let Host::Domain(domain) = host {
            let lookup = self.resolver.lookup(domain).await;
            let found = lookup.map_err(|error| Refused::Unreachable(format!("no address of its name: {error}")))?;
            if found.is_empty() {
                return Err(Refused::Unreachable("its name has no address".into()));
            }
            // One private address among public ones is an attack or a mistake: none is used.
            if !self.excepted(&host, port) && found.iter().any(|ip| !public(*ip)) {
                return Err(Refused::PrivateAddress(domain.to_owned()));
            }
            let addresses: Vec<SocketAddr> = found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
            builder = builder.resolve_to_addrs(domain, &addresses);
        }
        let client = builder.build().map_err(unreachable)?;
        if let Ok(mut pinned) = self.pinned.lock()
            && pinned.len() < MOST_KEPT
        {
            pinned.insert(name, Pinned { since: Instant::now(), client: client.clone() });
        }
        Ok(client)
    }
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The innermost reason, without the address.
fn unreachable(error: reqwest::Error) -> Refused {
    if error.is_timeout() {
        return Refused::Unreachable("it did not answer in time".into());
    }
    let error = error.without_url();
    let mut reason: &dyn std::error::Error = &error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    Refused::Unreachable(reason.to_string())
}

/// Names that mean this machine, this network or a cloud's metadata.
fn private_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let inner = ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "localdomain", "arpa", "test"];
    !name.contains('.') || inner.iter().any(|end| name == *end || name.ends_with(&format!(".{end}")))
}

/// Whether an address is one of the public internet, by the special-purpose registries of IANA (RFC 6890).
///
/// IPv6 addresses that carry an IPv4 one (mapped, NAT64, 6to4, Teredo) are refused whatever they carry.
#[must_use]
pub fn public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => public_v4(ip),
        IpAddr::V6(ip) => public_v6(ip),
    }
}

fn public_v4(ip: Ipv4Addr) -> bool {
    const SPECIAL: &[(Ipv4Addr, u32)] = &[
        (Ipv4Addr::new(0, 0, 0, 0), 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 0, 2, 0), 24),
        (Ipv4Addr::new(192, 31, 196, 0), 24),
        (Ipv4Addr::new(192, 52, 193, 0), 24),
        (Ipv4Addr::new(192, 88, 99, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(192, 175, 48, 0), 24),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(198, 51, 100, 0), 24),
        (Ipv4Addr::new(203, 0, 113, 0), 24),
        (Ipv4Addr::new(224, 0, 0, 0), 4),
        (Ipv4Addr::new(240, 0, 0, 0), 4),
    ];
    // The address at which a cloud serves its metadata although it is a public one (Azure's wire server).
    const WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    let within = |(network, bits): &(Ipv4Addr, u32)| (ip.to_bits() ^ network.to_bits()) >> (32 - bits) == 0;
    ip != WIRE_SERVER && !SPECIAL.iter().any(within)
}

fn public_v6(ip: Ipv6Addr) -> bool {
    const SPECIAL: &[(Ipv6Addr, u32)] = &[
        // Teredo, benchmarking, ORCHID and the like.
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
        (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
        (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    ];
    let within = |(network, bits): &(Ipv6Addr, u32)| (ip.to_bits() ^ network.to_bits()) >> (128 - bits) == 0;
    // Global unicast is 2000::/3; loopback, mapped, NAT64, unique local, link-local and multicast lie outside.
    within(&(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)) && !SPECIAL.iter().any(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "100::1",
        ] {
            assert!(!public(ip.parse().unwrap()), "{ip}");
        }
        for ip in
            ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]
        {
            assert!(public(ip.parse().unwrap()), "{ip}");
        }
    }
}

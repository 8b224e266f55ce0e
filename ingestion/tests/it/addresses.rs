//! Addresses that lead where they must not: the guarded client refuses each before it connects, and a listening
//! victim is never reached, by redirects and by names that change their answer neither.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ingestion::safe_client::{Limits, Refused, Resolve, SafeClient};
use tokio::net::TcpListener;

use crate::web::Site;

/// Somebody who must not be reached; counts who connects.
struct Victim {
    port: u16,
    hits: Arc<AtomicUsize>,
}

impl Victim {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, hits) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&hits);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, hits }
    }
}

/// Names answer what the test says, call by call; the last answer stays.
struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|one| one.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

#[async_trait::async_trait]
impl Resolve for Names {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let call = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[call.min(self.answers.len() - 1)].clone())
    }
}

/// Hosts that are this machine, this network or a cloud's metadata, in every spelling that a parser may take.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.127.127.127",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "2130706433",
    "0x7F.0x0.0x0.0x1",
    "127.0.0.0x1",
    "00000177.0.0.1",
    "0x000000007f000001",
    "127.00.00.01",
    "1.0x0.0.1@127.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost.",
    "foo.localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "printer",
    "nas.local",
    "db.internal",
    "wiki.corp",
    "a.lan",
    "router.home",
    "intranet",
    "x.intranet",
    "1.0.0.127.in-addr.arpa",
    "metadata.google.internal",
    "metadata.google.internal.",
    "metadata",
    "10.0.0.1",
    "10.255.255.255",
    "0x0a000001",
    "012.0.0.1",
    "167772161",
    "172.16.0.1",
    "172.31.255.254",
    "0xac.16.1",
    "192.168.0.1",
    "192.168.1.254",
    "0xc0a80001",
    "3232235521",
    "0300.0250.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "169.254.170.2",
    "169.254.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "192.0.0.192",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001::1]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fd12:3456::1]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[5f00::1]",
    // Full-width and circled digits and dots become plain ones.
    "１２７.０.０.１",
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "ⓛocalhost",
    "ｌｏｃａｌｈｏｓｔ",
    "127.0.0.1\u{ad}",
    "l\u{200b}ocalhost",
];

/// Whole addresses that are none to fetch; `PORT` is the victim's.
const ADDRESSES: &[&str] = &[
    "http://127.0.0.1:PORT/",
    "http://localhost:PORT/",
    "http://[::1]:PORT/",
    "https://user@127.0.0.1:PORT/",
    "https://www.example.org@127.0.0.1:PORT/",
    "https://www.example.org:443@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT#@www.example.org/",
    "https://127.0.0.1:PORT\\@www.example.org/",
    "https://www.example.org\\@127.0.0.1:PORT/",
    "https://127.0.0.1%2f@www.example.org/",
    "https:\\\\127.0.0.1:PORT\\",
    "https://www.example.org:PORT/",
    "https://www.example.org:22/",
    "https://www.example.org:0/",
    "http://www.example.org/",
    "https://www.example.org/\r\nHost: 127.0.0.1",
    "https://www.example.org\r\n.evil/",
    "https://www.example.org\t/",
    " https://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT /",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:PORT/_x",
    "dict://127.0.0.1:PORT/x",
    "ftp://127.0.0.1:PORT/x",
    "ldap://127.0.0.1:PORT/x",
    "tftp://127.0.0.1:PORT/x",
    "jar:https://127.0.0.1!/",
    "data:text/html,x",
    "javascript:alert(1)",
    "ws://127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "localhost:PORT/x",
    "https://",
    "https:///127.0.0.1:PORT/",
    "https://.",
    "https://..",
    "https://[127.0.0.1]:PORT/",
    "https://[::ffff:127.0.0.1%25lo]:PORT/",
    "https://256.256.256.256/",
    "https://127.0.0.1.256/",
    "https://0x7f.0x0.0x0.0x1:PORT/",
    "unix:/run/docker.sock",
    "http+unix://%2Frun%2Fdocker.sock/",
    "",
];

fn client(listed: &[String]) -> SafeClient {
    SafeClient::new(Limits { time: Duration::from_secs(2), ..Limits::default() }, listed)
}

fn refused(address: &str, answer: &Result<ingestion::safe_client::Answer, Refused>) {
    assert!(matches!(answer, Err(Refused::BadAddress(_) | Refused::PrivateAddress(_))), "{address}: {answer:?}");
}

#[tokio::test]
async fn no_address_of_a_private_place_is_connected_to() {
    let victim = Victim::new().await;
    // A name that is asked for at all would lead to the victim.
    let names = Names::new(&[&["127.0.0.1"]]);
    let client = client(&[]).with_resolver(names.clone());
    let port = victim.port.to_string();
    let by_host = HOSTS.iter().flat_map(|host| [format!("https://{host}/"), format!("https://{host}:{port}/latest")]);
    let whole = ADDRESSES.iter().map(|address| address.replace("PORT", &port));
    let mut tried = 0;
    for address in by_host.chain(whole) {
        let began = Instant::now();
        refused(&address, &client.get(&address).await);
        assert!(began.elapsed() < Duration::from_secs(2), "{address}");
        tried += 1;
    }
    println!("addresses: {tried} tried, {} reached the victim", victim.hits.load(Ordering::SeqCst));
    assert!(tried >= 120);
    assert_eq!(victim.hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_checked_like_the_first_address() {
    let (victim, site) = (Victim::new().await, Site::new().await);
    let client = client(std::slice::from_ref(&site.host)).with_resolver(Names::new(&[&["127.0.0.1"]]));
    let port = victim.port.to_string();
    let hosts = HOSTS.iter().filter(|host| host.is_ascii()).map(|host| format!("https://{host}:{port}/"));
    let whole = ADDRESSES.iter().filter(|address| address.contains("://") && !address.contains(['\r', '\t']));
    for (at, to) in hosts.chain(whole.map(|address| address.replace("PORT", &port))).enumerate() {
        let page = (302, vec![("Location", to.clone())], String::new());
        site.pages.lock().unwrap().insert(format!("/{at}"), page);
        let answer = client.get(&format!("http://{}/{at}", site.host)).await;
        // What is no address at all stays on the site that sent it.
        let stays = answer.as_ref().is_ok_and(|answer| answer.url.host_str() == Some("127.0.0.1"));
        assert!(stays || answer.is_err(), "{to}: {answer:?}");
    }
    for at in 0..5 {
        let page = (302, vec![("Location", format!("/chain{}", at + 1))], String::new());
        site.pages.lock().unwrap().insert(format!("/chain{at}"), page);
    }
    let answer = client.get(&format!("http://{}/chain0", site.host)).await;
    assert!(matches!(answer, Err(Refused::TooManyRedirects(3))), "{answer:?}");
    assert_eq!(victim.hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_answer_gets_nobody_in() {
    let victim = Victim::new().await;
    // Nobody has that first address, so that nothing answers there; what counts is who is asked again.
    let rebinding = Names::new(&[&["2d00::1"], &["127.0.0.1"]]);
    let client = client(&[]).with_resolver(rebinding.clone());
    for _ in 0..3 {
        let answer = client.get("https://rebinding.example.org/").await;
        assert!(matches!(answer, Err(Refused::Unreachable(_) | Refused::TooSlow(_))), "{answer:?}");
    }
    assert_eq!(rebinding.asked.load(Ordering::SeqCst), 1, "the name is asked once, and its checked answer is used");
    // Of several answers one private is enough.
    let mixed: [&[&str]; 4] = [
        &["1.1.1.1", "127.0.0.1"],
        &["2606:4700::1111", "::1"],
        &["1.1.1.1", "169.254.169.254"],
        &["::ffff:127.0.0.1"],
    ];
    for answers in mixed {
        let client = self::client(&[]).with_resolver(Names::new(&[answers]));
        refused(&format!("{answers:?}"), &client.get("https://mixed.example.org/").await);
    }
    assert_eq!(victim.hits.load(Ordering::SeqCst), 0);
}

//! Webhooks: headers and signature, what each answer means, and where none may go.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use stammgast::base::id::Id;
use stammgast::base::time::UnixMs;
use stammgast::channel::webhook::WebhookClient;
use stammgast::config::Config;
use stammgast::config::webhooks::Target;
use stammgast::model::attempt::{Delivery, Fault};

use crate::common::act::Act;
use crate::common::act::Act::{Close, Drip, Flood, Hang, Say, SayAndClose, SayAndHang};
use crate::common::http::HttpReceiver;

const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// 2026-07-01T07:00:00Z.
const NOW: UnixMs = UnixMs(1_782_889_200_000);
const OK: Act = Say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

fn target(url: &str, allow_private: &[&str]) -> Target {
    let toml = format!("[[webhooks]]\nname = \"crm\"\nurl = \"https://x.example\"\nsecret = \"whsec_{SECRET}\"\nallow_private = {allow_private:?}");
    Target { url: url.to_owned(), allow_http: true, ..Config::from_toml(&toml).unwrap().webhooks.remove(0) }
}

fn client(target: Target) -> Result<WebhookClient, String> {
    WebhookClient::with_timeouts(Duration::from_secs(1), Duration::from_millis(1500), &[target])
}

async fn post_to(receiver: &HttpReceiver) -> Delivery {
    let url = format!("http://{}/hook", receiver.address());
    client(target(&url, &["127.0.0.1/32"])).unwrap().post("crm", Id(7), NOW, "{\"a\":\"ä\"}").await
}

#[tokio::test]
async fn a_webhook_carries_the_standard_headers_and_each_retry_is_the_same() {
    let receiver = HttpReceiver::start(OK).await;
    let url = format!("http://{}/hook?key=1", receiver.address());
    let client = client(target(&url, &["127.0.0.1/32"])).unwrap();
    for at in [NOW, NOW.plus(5_000)] {
        assert_eq!(client.post("crm", Id(7), at, "{\"a\":\"ä\"}").await, Delivery::Accepted { reply: "HTTP 200 ok".to_owned() });
    }
    let requests = receiver.requests();
    assert_eq!((requests.len(), receiver.connections()), (2, 1), "the connection is used again");
    for (request, timestamp) in requests.iter().zip(["1782889200", "1782889205"]) {
        assert!(request.head.starts_with("POST /hook?key=1 HTTP/1.1\r\n"));
        assert_eq!(request.body, "{\"a\":\"ä\"}");
        assert_eq!(request.header("webhook-id"), Some("msg_7"));
        assert_eq!(request.header("webhook-timestamp"), Some(timestamp));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("accept-encoding"), None, "an answer is never unpacked");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&STANDARD.decode(SECRET).unwrap()).unwrap();
        mac.update(format!("msg_7.{timestamp}.{}", request.body).as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(request.header("webhook-signature"), Some(format!("v1,{signature}").as_str()));
    }
}

/// What a receiver's answer means: `None` is accepted, otherwise fault and wait.
#[derive(Debug, PartialEq)]
enum End {
    Accepted,
    Retry(Fault, Option<i64>),
    Refused(Fault),
}

#[tokio::test]
async fn each_misbehaviour_of_a_receiver_has_its_verdict_and_none_lasts_longer_than_the_request_may() {
    use End::{Accepted, Refused, Retry};
    use Fault::{Busy, Closed, Gone, HttpStatus, Protocol, Timeout};
    let table: Vec<(Act, End)> = vec![
        (OK, Accepted),
        (Say(b"HTTP/1.1 204 No Content\r\n\r\n"), Accepted),
        (Say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), Accepted),
        (Hang, Retry(Timeout, None)),
        (Drip(b"HTTP/1.1 200 OK\r\nx-slow: very very slow\r\n\r\n", 100), Retry(Timeout, None)),
        (Close, Retry(Closed, None)),
        (SayAndClose(b"HTTP/1.1 200 OK\r\ncontent-le"), Retry(Closed, None)),
        (SayAndClose(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Retry(Protocol, None)),
        (Flood(b"x-header: again and again\r\n"), Retry(Protocol, None)),
        (SayAndHang(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf"), Accepted),
        (SayAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf"), Accepted),
        (SayAndClose(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00"), Accepted),
        (SayAndClose(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), Accepted),
        (Say(b"HTTP/1.1 301 Moved\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"), Retry(HttpStatus, None)),
        (Say(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"), Refused(Gone)),
        (Say(b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n"), Retry(HttpStatus, None)),
        (Say(b"HTTP/1.1 404 None\r\ncontent-length: 0\r\n\r\n"), Retry(HttpStatus, None)),
        (Say(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"), Retry(HttpStatus, None)),
        (Say(b"HTTP/1.1 502 Bad\r\ncontent-length: 0\r\n\r\n"), Retry(Busy, None)),
        (Say(b"HTTP/1.1 504 Late\r\ncontent-length: 0\r\n\r\n"), Retry(Busy, None)),
        (Say(b"HTTP/1.1 429 Slow\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n"), Retry(Busy, Some(120_000))),
        (Say(b"HTTP/1.1 503 Busy\r\nretry-after: Wed, 01 Jul 2026 07:01:30 GMT\r\ncontent-length: 0\r\n\r\n"), Retry(Busy, Some(90_000))),
        (Say(b"HTTP/1.1 503 Busy\r\nretry-after: Wed, 01 Jul 2020 07:01:30 GMT\r\ncontent-length: 0\r\n\r\n"), Retry(Busy, None)),
        (Say(b"HTTP/1.1 503 Busy\r\nretry-after: 9999999999999999999999\r\ncontent-length: 0\r\n\r\n"), Retry(Busy, None)),
        (Say(b"HTTP/1.1 503 Busy\r\nretry-after: soon\r\ncontent-length: 0\r\n\r\n"), Retry(Busy, None)),
    ];
    let cases = table.into_iter().map(|(act, expected)| async move {
        let receiver = HttpReceiver::start(act).await;
        let begun = Instant::now();
        let end = match post_to(&receiver).await {
            Delivery::Accepted { .. } => Accepted,
            Delivery::Retry { fault, after_ms, .. } => Retry(fault, after_ms),
            Delivery::Refused { fault, .. } => Refused(fault),
            other => panic!("a webhook is never {other:?}"),
        };
        assert!(begun.elapsed() < Duration::from_secs(5), "{act:?} took {:?}", begun.elapsed());
        (end != expected).then(|| format!("{act:?}: {end:?}, expected {expected:?}"))
    });
    let wrong: Vec<String> = futures_util::future::join_all(cases).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_endless_answer_is_read_only_to_its_limit() {
    let receiver = HttpReceiver::start(Flood(b"HTTP/1.1 200 OK\r\n\r\nand so on")).await;
    let Delivery::Accepted { reply } = post_to(&receiver).await else { panic!("200 is a success") };
    assert!(reply.len() <= 500 && reply.starts_with("HTTP 200 and so on"));
}

#[tokio::test]
async fn nobody_listens_or_speaks_tls_or_is_known() {
    let receiver = HttpReceiver::start(OK).await;
    let address = receiver.address();
    let plain = client(target(&format!("https://{address}/"), &["127.0.0.1"])).unwrap();
    let handshake = plain.post("crm", Id(7), NOW, "{}").await;
    assert!(matches!(handshake, Delivery::Retry { fault: Fault::Tls | Fault::Timeout, .. }), "{handshake:?}");
    let refused = client(target("http://127.0.0.1:9/", &["127.0.0.1"]));
    assert!(refused.unwrap_err().contains("port 9 belongs to another protocol"));
    drop(receiver);
    tokio::task::yield_now().await;
    let nobody = client(target(&format!("http://{address}/"), &["127.0.0.1"])).unwrap().post("crm", Id(7), NOW, "{}").await;
    assert!(matches!(nobody, Delivery::Retry { fault: Fault::Connect | Fault::Closed, .. }), "{nobody:?}");
    let client = client(target("https://crm.example/", &[])).unwrap();
    assert!(matches!(client.post("erp", Id(7), NOW, "{}").await, Delivery::Refused { fault: Fault::Missing, .. }));
    assert!(client.contains("crm") && !client.contains("erp"));
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_believed() {
    let (acceptor, _authority) = crate::common::tls::authority();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let _ = acceptor.accept(socket).await;
    });
    let delivery = client(target(&url, &["127.0.0.1"])).unwrap().post("crm", Id(7), NOW, "{}").await;
    assert!(matches!(&delivery, Delivery::Retry { fault: Fault::Tls, detail, .. } if detail.contains("UnknownIssuer")), "{delivery:?}");
}

/// Spellings of places that a webhook must not reach; `PORT` is where a receiver waits on 127.0.0.1.
const FORBIDDEN: [&str; 70] = [
    "http://127.0.0.1:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://127.127.127.127:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7f.0.0.1:PORT/",
    "http://0x7f.1:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://017700000001:PORT/",
    "http://0177.1:PORT/",
    "http://127.0x0.0.1:PORT/",
    "http://0X7F.0X0.0X0.0X1:PORT/",
    "http://①②⑦.⓪.⓪.①:PORT/",
    "http://127。0。0。1:PORT/",
    "http://127．0．0．1:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://1%327.0.0.1:PORT/",
    "http://0:PORT/",
    "http://0.0.0.0:PORT/",
    "http://00000000000:PORT/",
    "http://0x0:PORT/",
    "http://[::1]:PORT/",
    "http://[::]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/",
    "http://[::ffff:0:127.0.0.1]:PORT/",
    "http://[::127.0.0.1]:PORT/",
    "http://[64:ff9b::127.0.0.1]:PORT/",
    "http://[64:ff9b:1::7f00:1]:PORT/",
    "http://[2002:7f00:1::]:PORT/",
    "http://[2001:0:7f00:1::]:PORT/",
    "http://[fe80::1]:PORT/",
    "http://[fc00::1]:PORT/",
    "http://[fd00:ec2::254]:PORT/",
    "http://[ff02::1]:PORT/",
    "http://localhost:PORT/",
    "http://LOCALHOST:PORT/",
    "http://localhost.:PORT/",
    "http://ｌｏｃａｌｈｏｓｔ:PORT/",
    "http://loc%61lhost:PORT/",
    "http://user@127.0.0.1:PORT/",
    "http://user:password@shop.example:PORT/",
    "http://shop.example@127.0.0.1:PORT/",
    "http://shop.example:80@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT@shop.example/",
    "http://127.0.0.1:PORT\\@shop.example/",
    "http:\\\\127.0.0.1:PORT/",
    "http:/127.0.0.1:PORT/",
    "http:127.0.0.1:PORT/",
    "\thttp://127.0.0.1:PORT/",
    "ht\ntp://127.0.0.1:PORT/",
    "http://127.0.\t0.1:PORT/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://255.255.255.255/",
    "http://shop.example:25/",
    "http://shop.example:22/",
    "ftp://127.0.0.1:PORT/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_x",
];

#[tokio::test]
async fn no_spelling_of_a_forbidden_place_gets_a_packet_there() {
    let receiver = HttpReceiver::start(OK).await;
    let port = receiver.address().port().to_string();
    for form in FORBIDDEN {
        let url = form.replace("PORT", &port);
        // What the URL alone gives away is refused at the start, the rest when its name is resolved.
        if let Ok(client) = client(target(&url, &[])) {
            let delivery = client.post("crm", Id(7), NOW, "{}").await;
            let Delivery::Retry { fault, .. } = delivery else { panic!("{url:?}: {delivery:?}") };
            // Whether a name server knows "localhost." is up to the machine.
            assert!(fault == Fault::BlockedTarget || (fault == Fault::Connect && url.contains("localhost.")), "{url:?}: {fault:?}");
        }
    }
    assert_eq!(receiver.connections(), 0);
    let allowed = client(target(&format!("http://localhost:{port}/"), &["127.0.0.1/32"])).unwrap();
    assert!(matches!(allowed.post("crm", Id(7), NOW, "{}").await, Delivery::Accepted { .. }), "the guard opens what it was told to");
    assert_eq!(receiver.connections(), 1);
}

#[test]
fn a_target_that_cannot_work_is_refused_with_its_name() {
    let refusal = |target: Target| client(target).unwrap_err();
    assert_eq!(
        refusal(target("http://192.168.1.20/", &[])),
        "webhook 'crm': 192.168.1.20 is in a network that webhooks may not reach; allow_private can allow it"
    );
    assert!(refusal(target("https://x.example", &["here"])).starts_with("webhook 'crm': 'here' is not a network"));
    let plain = Target { allow_http: false, ..target("http://x.example", &[]) };
    assert!(refusal(plain).contains("'http' is not a scheme for this webhook: expected https"));
    let short = Target { secret: stammgast::base::secret::Secret::new("whsec_AAAA"), ..target("https://x.example", &[]) };
    assert!(refusal(short).contains("the secret has 3 bytes"));
}

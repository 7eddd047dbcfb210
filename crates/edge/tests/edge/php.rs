//! FastCGI: what a script is told, how bodies stream, and what happens when the script fails.

use crate::house::{House, nothing, request, soon, whole};
use crate::program::Program;
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

async fn house() -> (House, Arc<Program>, std::path::PathBuf) {
    house_with(|_| ()).await
}

async fn house_with(change: impl FnOnce(&mut husorden_edge::Config)) -> (House, Arc<Program>, std::path::PathBuf) {
    let mut house = House::start_with(change).await;
    let socket = house.path("php.sock");
    let program = Program::start(&socket);
    let mut site = house.php_site(1, "php.example", &socket);
    site.https_only = false;
    let root = site.root.clone();
    house.node.table(&[site]).await;
    (house, program, root)
}

/// The lines `NAME=value` that the program shows.
fn shown(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

#[tokio::test]
async fn a_script_is_told_what_is_so() {
    let (house, _program, root) = house().await;
    std::fs::create_dir(root.join("shop")).unwrap();
    std::fs::write(root.join("shop/index.php"), "<?php").unwrap();
    let headers = [
        ("cookie", "a=1"),
        ("proxy", "http://192.0.2.9"),
        ("x-forwarded-for", "192.0.2.9"),
        ("remote_addr", "192.0.2.9"),
        ("accept-language", "da"),
    ];
    let mut h1 = house.client("php.example").await;
    let mut h2 = house.client_h2("php.example").await;
    let mut plain = house.client_plain("php.example").await;
    for (client, scheme) in [(&mut h1, "https"), (&mut h2, "https"), (&mut plain, "http")] {
        let got = client.get_with("/shop/?q=a%20b&x=/../y", &headers).await;
        assert_eq!(got.status, 200);
        let text = got.text();
        let is =
            |name: &str, value: &str| assert_eq!(shown(&text, name).as_deref(), Some(value), "{name} over {scheme}");
        is("SCRIPT_FILENAME", "/srv/www/shop/index.php");
        is("SCRIPT_NAME", "/shop/index.php");
        is("DOCUMENT_ROOT", "/srv/www");
        is("REQUEST_URI", "/shop/?q=a%20b&x=/../y");
        is("QUERY_STRING", "q=a%20b&x=/../y");
        is("REQUEST_METHOD", "GET");
        is("REMOTE_ADDR", "127.0.0.1");
        is("SERVER_NAME", "php.example");
        is("HTTP_HOST", "php.example");
        is("HTTP_COOKIE", "a=1");
        is("HTTP_ACCEPT_LANGUAGE", "da");
        is("REDIRECT_STATUS", "200");
        is("CONTENT_LENGTH", "");
        is("REQUEST_SCHEME", scheme);
        assert_eq!(shown(&text, "HTTPS").is_some(), scheme == "https");
        assert_eq!(shown(&text, "HTTP_PROXY"), None);
        assert_eq!(shown(&text, "HTTP_REMOTE_ADDR"), None);
        assert_eq!(shown(&text, "PATH_INFO"), None);
    }
}

#[tokio::test]
async fn permalinks_reach_the_front_controller_and_tricks_do_not_reach_files() {
    let (house, program, root) = house().await;
    std::fs::create_dir_all(root.join("uploads")).unwrap();
    std::fs::create_dir_all(root.join("empty")).unwrap();
    std::fs::write(root.join("uploads/x.jpg"), "<?php evil();").unwrap();
    std::fs::write(root.join("wp-config.php"), "<?php").unwrap();
    let mut client = house.client("php.example").await;
    for (path, script, path_info) in [
        ("/", "/index.php", None),
        ("/2026/11/hello-world/", "/index.php", None),
        ("/hello", "/index.php", None),
        ("/empty/", "/index.php", None),
        ("/index.php/foo/bar?x", "/index.php", Some("/foo/bar")),
        ("/missing.php", "/index.php", None),
        ("/uploads/x.jpg/y.php", "/index.php", None),
        ("/uploads/x.jpg%00.php", "", None),
    ] {
        let got = client.get(path).await;
        let text = got.text();
        if script.is_empty() {
            assert_eq!(got.status, 400, "{path}");
            continue;
        }
        assert_eq!(shown(&text, "SCRIPT_FILENAME"), Some(format!("/srv/www{script}")), "{path}");
        assert_eq!(shown(&text, "PATH_INFO").as_deref(), path_info, "{path}");
        assert_eq!(shown(&text, "REQUEST_URI").as_deref(), Some(path), "{path}");
    }
    let before = program.taken.load(SeqCst);
    for path in ["/wp-config.php", "/.user.ini", "/wp-config.php/x"] {
        assert_eq!(client.get(path).await.status, 404, "{path}");
    }
    let file = client.get("/uploads/x.jpg").await;
    assert_eq!((file.status, file.header("content-type")), (200, "image/jpeg"));
    let slash = client.get("/empty?a=b").await;
    assert_eq!((slash.status, slash.header("location")), (301, "/empty/?a=b"));
    assert_eq!(program.taken.load(SeqCst), before, "none of these is the program's");
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let (house, _program, _) = house().await;
    for h2 in [false, true] {
        let mut client = if h2 { house.client_h2("php.example").await } else { house.client("php.example").await };
        let (send, pieces) = mpsc::unbounded_channel::<Result<Frame<Bytes>, std::io::Error>>();
        let body = StreamBody::new(UnboundedReceiverStream::new(pieces)).boxed();
        let answer = client.open(request("POST", "/echo", &[("content-length", "250000")], body));
        // The head comes before a byte of the body is sent, and each piece before the next is.
        let mut answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        for piece in 0..5_u8 {
            send.send(Ok(Frame::data(Bytes::from(vec![piece; 50_000])))).unwrap();
            let mut back = 0;
            while back < 50_000 {
                let frame = soon("an echo", answer.body_mut().frame()).await.unwrap().unwrap();
                let data = frame.into_data().unwrap();
                assert!(data.iter().all(|byte| *byte == piece));
                back += data.len();
            }
        }
        drop(send);
        let rest = soon("the end", answer.into_body().collect()).await.unwrap();
        assert!(rest.to_bytes().is_empty());
    }
}

#[tokio::test]
async fn a_body_of_unstated_length_is_spooled_and_its_length_told() {
    let (house, _program, _) = house().await;
    let mut client = house.client("php.example").await;
    let mut h2 = house.client_h2("php.example").await;
    for size in [0, 10, 100_000, 900_000] {
        for client in [&mut client, &mut h2] {
            let pieces = (0..size)
                .step_by(20_000)
                .map(|at| Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b'x'; (size - at).min(20_000)]))));
            let body = StreamBody::new(tokio_stream::iter(pieces.collect::<Vec<_>>())).boxed();
            let got = client.send(request("POST", "/form", &[], body)).await;
            let text = got.text();
            assert_eq!(shown(&text, "STDIN_BYTES"), Some(size.to_string()));
            if size > 0 {
                assert_eq!(shown(&text, "CONTENT_LENGTH"), Some(size.to_string()));
            }
        }
    }
    let got = client.send(request("POST", "/form", &[], whole(vec![b'x'; 70_000]))).await;
    assert_eq!(shown(&got.text(), "STDIN_BYTES").as_deref(), Some("70000"));
    assert_eq!(shown(&got.text(), "CONTENT_LENGTH").as_deref(), Some("70000"));
}

#[tokio::test]
async fn answers_are_passed_on_as_they_are_meant() {
    let (house, _program, _) = house().await;
    let mut client = house.client("php.example").await;
    let got = client.get("/teapot").await;
    assert_eq!((got.status, got.header("x-kind"), got.text()), (418, "round", "short".to_owned()));
    let got = client.get("/redirect").await;
    assert_eq!((got.status, got.header("location")), (302, "https://elsewhere.example/"));
    let got = client.send(request("HEAD", "/page", &[], nothing())).await;
    assert_eq!((got.status, got.body.len()), (200, 0));

    let plain = client.get("/page").await;
    assert_eq!((plain.header("content-encoding"), plain.body.len()), ("", 12_000));
    let zipped = client.get_with("/page", &[("accept-encoding", "gzip")]).await;
    assert_eq!((zipped.header("content-encoding"), zipped.header("etag")), ("gzip", "W/\"v1\""));
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&zipped.body[..]), &mut text).unwrap();
    assert!(text == plain.body);

    assert_eq!(client.get("/complain").await.text(), "fine");
    let log = house.log_with("1/error.log", "and more").await;
    assert!(log.contains("PHP Warning: something \\x22odd\\x22\n"), "{log}");
    let access = house.log_with("1/access.log", "GET /complain").await;
    let line = access.lines().find(|line| line.contains("/teapot")).unwrap();
    assert!(
        line.starts_with("127.0.0.1 - - [") && line.contains("\"GET /teapot HTTP/1.1\" 418 5 \"-\" \"-\" 0."),
        "{line}"
    );
}

#[tokio::test]
async fn a_script_that_fails_is_told_of_and_run_again_only_where_that_is_harmless() {
    let (house, program, _) = house_with(|config| {
        config.limits.upstream_connect_ms_max = 200;
        config.limits.upstream_first_byte_ms_max = 300;
    })
    .await;
    let mut client = house.client("php.example").await;
    assert_eq!(client.get("/die-once").await.status, 200, "a GET is tried again");
    let before = program.taken.load(SeqCst);
    assert_eq!(client.get("/die").await.status, 502);
    assert_eq!(program.taken.load(SeqCst), before + 2, "but only once");
    let got = client.send(request("POST", "/die", &[("content-length", "0")], nothing())).await;
    assert_eq!((got.status, program.taken.load(SeqCst)), (502, before + 3), "a POST never");
    assert_eq!(client.get("/nonsense").await.status, 502);
    assert_eq!(client.get("/silent").await.status, 504);
    // Cut short, and visibly so, whether or not the head got through.
    if let Ok(answer) = client.open(request("GET", "/die-late", &[], nothing())).await {
        assert!(answer.into_body().collect().await.is_err());
    }

    std::fs::remove_file(house.path("php.sock")).unwrap();
    let mut client = house.client("php.example").await;
    let got = client.get("/").await;
    assert_eq!((got.status, got.header("retry-after")), (503, "5"));
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_script() {
    let (house, program, _) = house().await;
    let mut cut = program.cut.subscribe();
    for h2 in [false, true] {
        let mut client = if h2 { house.client_h2("php.example").await } else { house.client("php.example").await };
        let mut answer = client.open(request("GET", "/hang", &[], nothing())).await.unwrap();
        let first = soon("the beginning", answer.body_mut().frame()).await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "begun");
        drop((answer, client));
        soon("the program notices", cut.wait_for(|cut| *cut == 1 + u32::from(h2))).await.unwrap();
    }
}

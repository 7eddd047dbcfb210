//! Static files: what is sent, in which form, and what is never sent.

use crate::house::{House, nothing, request, whole};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

async fn house() -> (House, std::path::PathBuf) {
    let mut house = House::start().await;
    let site = house.site(1, "files.example");
    let root = site.root.clone();
    house.node.table(&[site]).await;
    (house, root)
}

#[tokio::test]
async fn a_file_is_sent_whole_in_part_or_not_at_all() {
    let (house, root) = house().await;
    let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(root.join("photo.jpg"), &content).unwrap();
    let mut client = house.client("files.example").await;

    let got = client.get("/photo.jpg").await;
    assert_eq!((got.status, got.header("content-type")), (200, "image/jpeg"));
    assert_eq!(got.header("content-length"), "200000");
    assert!(got.body == content);
    let (etag, modified) = (got.header("etag").to_owned(), got.header("last-modified").to_owned());
    assert!(got.headers.contains_key("date") && !got.headers.contains_key("server"));

    let head = client.send(request("HEAD", "/photo.jpg", &[], nothing())).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "200000", 0));

    for (range, status, content_range, expected) in [
        ("bytes=0-9", 206, "bytes 0-9/200000", &content[..10]),
        ("bytes=70000-140000", 206, "bytes 70000-140000/200000", &content[70_000..=140_000]),
        ("bytes=-5", 206, "bytes 199995-199999/200000", &content[199_995..]),
        ("bytes=5-1", 200, "", &content[..]),
    ] {
        let got = client.get_with("/photo.jpg", &[("range", range)]).await;
        assert_eq!((got.status, got.header("content-range")), (status, content_range), "{range}");
        assert!(got.body == expected, "{range}");
    }
    let got = client.get_with("/photo.jpg", &[("range", "bytes=200000-")]).await;
    assert_eq!((got.status, got.header("content-range")), (416, "bytes */200000"));
    let got = client.get_with("/photo.jpg", &[("range", "bytes=0-9"), ("if-range", "\"other\"")]).await;
    assert_eq!(got.status, 200);
    let got = client.get_with("/photo.jpg", &[("range", "bytes=0-9"), ("if-range", &etag)]).await;
    assert_eq!(got.status, 206);

    for (name, value, status) in [
        ("if-none-match", etag.as_str(), 304),
        ("if-none-match", "\"x\", *", 304),
        ("if-none-match", "\"x\"", 200),
        ("if-modified-since", modified.as_str(), 304),
        ("if-modified-since", "Thu, 01 Jan 1970 00:00:01 GMT", 200),
        ("if-match", "\"x\"", 412),
        ("if-unmodified-since", "Thu, 01 Jan 1970 00:00:01 GMT", 412),
    ] {
        let got = client.get_with("/photo.jpg", &[(name, value)]).await;
        assert_eq!(got.status, status, "{name}: {value}");
        if status == 304 {
            assert_eq!((got.body.len(), got.header("etag")), (0, etag.as_str()));
        }
    }
    let got = client.send(request("POST", "/photo.jpg", &[], whole("x"))).await;
    assert_eq!((got.status, got.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn what_is_in_memory_is_never_stale() {
    let (house, root) = house().await;
    let path = root.join("a.txt");
    let mut client = house.client_h2("files.example").await;
    let long_ago = SystemTime::now() - Duration::from_secs(1_000);
    for (content, age) in [("one", 0), ("two", 10), ("six", 20)] {
        std::fs::write(&path, content).unwrap();
        std::fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(long_ago + Duration::from_secs(age))
            .unwrap();
        for _ in 0..3 {
            assert_eq!(client.get("/a.txt").await.text(), content);
        }
    }
    // The same length and the same time of change, but another file.
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    let beside = root.join("b.txt");
    std::fs::write(&beside, "ten").unwrap();
    std::fs::File::options().write(true).open(&beside).unwrap().set_modified(modified).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    assert_eq!(client.get("/a.txt").await.text(), "ten");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(client.get("/a.txt").await.status, 404);
}

#[tokio::test]
async fn text_is_compressed_for_those_who_take_it() {
    let (house, root) = house().await;
    let text = "body { margin: 0 }\n".repeat(500);
    std::fs::write(root.join("style.css"), &text).unwrap();
    std::fs::write(root.join("tiny.css"), "a{}").unwrap();
    std::fs::write(root.join("photo.png"), &text).unwrap();
    let mut client = house.client("files.example").await;
    let accept = [("accept-encoding", "br, gzip")];
    for _ in 0..2 {
        let got = client.get_with("/style.css", &accept).await;
        assert_eq!((got.status, got.header("content-encoding"), got.header("vary")), (200, "gzip", "accept-encoding"));
        let mut plain = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&got.body[..]), &mut plain).unwrap();
        assert_eq!(plain, text);
        let etag = got.header("etag").to_owned();
        assert!(etag.starts_with("W/"));
        let again = client.get_with("/style.css", &[accept[0], ("if-none-match", &etag)]).await;
        assert_eq!(again.status, 304);
    }
    let plain = client.get("/style.css").await;
    assert_eq!((plain.header("content-encoding"), plain.text() == text), ("", true));
    assert_eq!(plain.header("vary"), "accept-encoding");
    let part = client.get_with("/style.css", &[accept[0], ("range", "bytes=0-3")]).await;
    assert_eq!((part.status, part.text()), (206, "body".to_owned()));
    for path in ["/tiny.css", "/photo.png"] {
        assert_eq!(client.get_with(path, &accept).await.header("content-encoding"), "", "{path}");
    }
}

#[tokio::test]
async fn directories_have_an_index_and_a_slash() {
    let (house, root) = house().await;
    std::fs::create_dir_all(root.join("with/index")).unwrap();
    std::fs::create_dir(root.join("blå bær")).unwrap();
    std::fs::write(root.join("index.html"), "front").unwrap();
    std::fs::write(root.join("with/index.htm"), "inner").unwrap();
    let mut client = house.client("files.example").await;
    assert_eq!(client.get("/").await.text(), "front");
    assert_eq!(client.get("/with/").await.text(), "inner");
    for (path, location) in [
        ("/with", "/with/"),
        ("/with?a=b%20c", "/with/?a=b%20c"),
        ("//with", "/with/"),
        ("/bl%C3%A5%20b%C3%A6r", "/bl%C3%A5%20b%C3%A6r/"),
    ] {
        let got = client.get(path).await;
        assert_eq!((got.status, got.header("location")), (301, location), "{path}");
    }
    assert_eq!(client.get("/with/index/").await.status, 404, "a directory is never listed");
}

#[tokio::test]
async fn what_is_never_sent() {
    let (house, root) = house().await;
    let outside = house.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("page.html"), "another site's").unwrap();
    for name in
        [".env", ".htaccess", "wp-config.php", "wp-config.php.bak", "code.php", "code.PHP", "lib.inc", "a.phtml"]
    {
        std::fs::write(root.join(name), "secret").unwrap();
    }
    std::fs::create_dir_all(root.join(".git")).unwrap();
    std::fs::write(root.join(".git/config"), "secret").unwrap();
    std::fs::create_dir_all(root.join(".well-known/acme-challenge")).unwrap();
    std::fs::write(root.join(".well-known/acme-challenge/token"), "proof").unwrap();
    std::fs::write(root.join("page.html"), "own").unwrap();
    symlink("page.html", root.join("near.html")).unwrap();
    symlink(outside.join("page.html"), root.join("far.html")).unwrap();
    symlink("../outside", root.join("door")).unwrap();
    symlink("code.php", root.join("code.txt")).unwrap();
    let mut client = house.client("files.example").await;
    for (path, status) in [
        ("/page.html", 200),
        ("/near.html", 200),
        ("/.well-known/acme-challenge/token", 200),
        ("/far.html", 404),
        ("/door/page.html", 404),
        ("/.env", 404),
        ("/%2eenv", 404),
        ("/.htaccess", 404),
        ("/.git/config", 404),
        ("/wp-config.php", 404),
        ("/WP-CONFIG.php.bak", 404),
        ("/wp-config.php.bak", 404),
        ("/code.php", 404),
        ("/code.PHP", 404),
        ("/code.txt", 404),
        ("/code.php/x", 404),
        ("/lib.inc", 404),
        ("/a.phtml", 404),
        ("/../outside/page.html", 400),
        ("/%2e%2e/outside/page.html", 400),
        ("/..%2foutside/page.html", 400),
        ("/page.html%00.jpg", 400),
        ("/page.html/", 404),
    ] {
        let got = client.get(path).await;
        assert_eq!(got.status, status, "{path}");
        assert!(!got.text().contains("secret") && !got.text().contains("another"), "{path}");
    }
}

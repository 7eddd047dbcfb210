//! Names and certificates: which site a request is for, and under which certificate it is served.

use crate::house::{Client, House, connect_tls, nothing, request};
use husorden_base::site::Site;

async fn leaf(house: &House, name: &str) -> Vec<u8> {
    let stream = connect_tls(house.https, name, "h2").await;
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn der(house: &House, name: &str) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject as _;
    let path = house.path(&format!("{name}.pem"));
    rustls_pki_types::CertificateDer::from_pem_file(path).unwrap().to_vec()
}

#[tokio::test]
async fn certificates_are_swapped_by_fingerprint_and_unknown_names_get_the_default() {
    let mut house = House::start().await;
    let mut site = house.site(1, "shop.example");
    site.certificate = Some(house.certificate("first", "shop.example", "1"));
    house.node.table(std::slice::from_ref(&site)).await;
    let default = der(&house, "default");
    assert_eq!(leaf(&house, "shop.example").await, der(&house, "first"));
    assert_eq!(leaf(&house, "other.example").await, default);
    assert_eq!(leaf(&house, "127.0.0.1").await, default);

    // A connection that was made before goes on.
    std::fs::write(site.root.join("index.html"), "x").unwrap();
    let mut client = house.client("shop.example").await;
    site.certificate = Some(house.certificate("second", "shop.example", "2"));
    house.node.set(&site).await;
    assert_eq!(leaf(&house, "shop.example").await, der(&house, "second"));
    assert_eq!(client.get("/").await.status, 200);

    // One that cannot be loaded takes the site's name off nothing but its certificate.
    let mut broken = house.certificate("third", "shop.example", "3");
    broken.chain = house.path("missing.pem");
    house.node.set(&Site { certificate: Some(broken), ..site }).await;
    assert_eq!(leaf(&house, "shop.example").await, default);
    assert_eq!(house.client("shop.example").await.get("/").await.status, 200);
}

#[tokio::test]
async fn a_request_reaches_the_site_it_names_and_no_other() {
    let mut house = House::start().await;
    let mut one = house.site(1, "one.example");
    one.domains.push("www.one.example".parse().unwrap());
    let two = house.site(2, "two.example");
    std::fs::write(one.root.join("index.html"), "one").unwrap();
    std::fs::write(two.root.join("index.html"), "two").unwrap();
    house.node.table(&[one, two]).await;

    let mut client = house.client("one.example").await;
    for (host, status, text) in [
        ("one.example", 200, "one"),
        ("ONE.example:8443", 200, "one"),
        ("one.example.", 200, "one"),
        ("www.one.example", 200, "one"),
        ("two.example", 421, ""),
        ("nobody.example", 421, ""),
        ("bad host", 400, ""),
    ] {
        let got = client.get_with("/", &[("host", host)]).await;
        assert_eq!(got.status, status, "{host}");
        if status == 200 {
            assert_eq!(got.text(), text, "{host}");
        }
    }
    let got = house.client("nobody.example").await.get("/").await;
    assert_eq!(got.status, 404);

    let mut h2 = house.client_h2("two.example").await;
    assert_eq!(h2.get("/").await.text(), "two");
    let got = h2.send(request("GET", "https://one.example/", &[], nothing())).await;
    assert_eq!(got.status, 421);

    // The absolute form goes before the field, as a proxy would send it.
    let mut plain = house.client_plain("two.example").await;
    let got = plain.send(request("GET", "http://one.example/x?y", &[("host", "one.example")], nothing())).await;
    assert_eq!((got.status, got.header("location").starts_with("https://one.example:")), (308, true));
}

#[tokio::test]
async fn plain_http_leads_to_https_but_for_challenges() {
    let mut house = House::start_with(|config| config.https_port = Some(443)).await;
    let strict = house.site(1, "strict.example");
    let loose = Site { https_only: false, ..house.site(2, "loose.example") };
    for site in [&strict, &loose] {
        std::fs::create_dir_all(site.root.join(".well-known/acme-challenge")).unwrap();
        std::fs::write(site.root.join(".well-known/acme-challenge/t"), "proof").unwrap();
        std::fs::write(site.root.join("index.html"), "page").unwrap();
    }
    house.node.table(&[strict, loose]).await;
    let mut client: Client = house.client_plain("strict.example").await;
    let got = client.get("/a%20b?c=d").await;
    assert_eq!((got.status, got.header("location")), (308, "https://strict.example/a%20b?c=d"));
    assert_eq!(client.get("/.well-known/acme-challenge/t").await.text(), "proof");
    let mut client = house.client_plain("loose.example").await;
    assert_eq!(client.get("/").await.text(), "page");
    assert_eq!(client.get("/.well-known/acme-challenge/t").await.text(), "proof");
    assert_eq!(house.client_plain("nobody.example").await.get("/").await.status, 404);
}

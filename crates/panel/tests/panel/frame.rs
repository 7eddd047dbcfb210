//! What holds for every page: hosts, headers, forms of one's own, escaping, redirects that stay.

use crate::client::{Client, HOST, STAFF, panel};
use crate::house::House;
use crate::people::{officer, owner};
use crate::visitors::PASSWORD;
use http::{Method, Request};
use husorden_panel::routes::{self, Reach};
use husorden_wire::api::Role;

const SCRIPT: &str = "\"'><script>alert(1)</script>";

fn pages() -> Vec<(&'static str, routes::Page)> {
    let customers = routes::customers().into_iter().map(|page| (HOST, page));
    customers.chain(routes::staff().into_iter().map(|page| (STAFF, page))).collect()
}

/// A path with every parameter filled in.
fn filled(path: &str, with: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { with } else { part }).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_answer_wears_its_headers_and_every_door_is_shut() {
    let house = House::new().await;
    let router = panel(&house);
    for (host, page) in pages() {
        let mut client = Client::new(&router, host);
        let path = filled(page.path, "x");
        let answer =
            if page.method == Method::GET { client.get(&path).await } else { client.post(&path, "", &[]).await };
        let what = format!("{host} {page:?}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'"] {
            assert!(policy.contains(part), "{what}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{what}: {policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers[name], value, "{what}");
        }
        assert!(
            answer.headers.contains_key("strict-transport-security")
                && answer.headers.contains_key("permissions-policy")
        );
        if page.method == Method::POST {
            assert_eq!(answer.status, 403, "{what}: a form without a token");
        } else if page.reach != Reach::Anybody {
            assert!(answer.leads().starts_with("/log-in?then=%2F"), "{what}");
        }
        for inline in ["<style", "style=\"", "onclick=", "javascript:"] {
            assert!(!answer.body.contains(inline), "{what} has {inline}");
        }
    }
    house.running.stop().await;
}

#[tokio::test]
async fn another_host_is_nobody_here() {
    let house = House::new().await;
    let router = panel(&house);
    for host in ["evil.example", "127.0.0.1:8481", "panel.localhost.evil.example", "xpanel.localhost", ""] {
        let mut client = Client::new(&router, HOST);
        let answer = client.send(Request::get("/log-in").header("host", host), String::new()).await;
        assert_eq!(answer.status, 421, "{host}");
        assert_eq!(answer.headers["x-frame-options"], "DENY");
    }
    // HTTP/2 names the host in the address; two that differ are none.
    let mut client = Client::new(&router, HOST);
    let two = Request::get("https://panel.localhost:8481/log-in").header("host", "staff.localhost:8481");
    assert_eq!(client.send(two, String::new()).await.status, 421);
    client.get("/log-in").await.is(200);
    house.running.stop().await;
}

#[tokio::test]
async fn a_form_is_the_visitors_own() {
    let house = House::new().await;
    let router = panel(&house);
    let (mut one, mut other) = (Client::new(&router, HOST), Client::new(&router, HOST));
    let foreign = other.get("/log-in").await.token();
    let own = one.get("/log-in").await.token();
    assert_ne!(own, foreign);
    let theme = [("theme", "dark"), ("then", "/log-in")];
    one.post("/choices", &foreign, &theme).await.is(403);
    one.post("/choices", "", &theme).await.is(403);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://panel.localhost:8481"),
        ("origin", "https://staff.localhost:8481"),
    ] {
        let request = Request::post("/choices").header("host", HOST).header(name, value);
        let answer = one.send(request, format!("_token={own}&theme=dark&then=%2Flog-in")).await;
        assert_eq!(answer.status, 403, "{name}: {value}");
    }
    assert!(!one.cookies.contains_key("__Host-theme"));
    assert_eq!(one.post("/choices", &own, &theme).await.leads(), "/log-in");
    one.get("/log-in").await.says("data-theme=\"dark\"");
    // A session has forms of its own, and a session of another has others.
    let mut inside = owner(&house, &router, house.ours).await;
    inside.post("/choices", &own, &theme).await.is(403);
    let elsewhere = owner(&house, &router, house.ours).await.get("/security").await.token();
    inside.post("/choices", &elsewhere, &theme).await.is(403);
    house.running.stop().await;
}

#[tokio::test]
async fn a_redirect_leads_nowhere_else() {
    let house = House::new().await;
    let router = panel(&house);
    let mut inside = owner(&house, &router, house.ours).await;
    let email = "redirected@customers.example";
    house.member(email, Role::Owner).await;
    for then in ["https://evil.example/", "//evil.example", "/\\evil.example", "/a\r\nSet-Cookie: x=1", "javascript:1"]
    {
        let mut client = Client::new(&router, HOST);
        let answer = client.submit("/log-in", "/choices", &[("language", "da"), ("then", then)]).await;
        assert_eq!(answer.leads(), "/", "{then:?}");
        assert!(!answer.headers.contains_key("x"));
        let query = format!("/log-in?then={}", form_urlencoded::byte_serialize(then.as_bytes()).collect::<String>());
        assert_eq!(inside.get(&query).await.leads(), "/", "{then:?}");
        let form = client.get("/log-in").await.token();
        let fields = [("/email", email), ("/password", PASSWORD), ("then", then)];
        assert_eq!(client.post("/log-in", &form, &fields).await.leads(), "/", "{then:?}");
    }
    house.running.stop().await;
}

/// Whose session has ended while a page was open is led to the log-in by the next page; the stream of the open one just ends.
#[tokio::test]
async fn a_stream_without_a_session_is_not_asked_for_again() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = Client::new(&router, HOST);
    let stream = http::Request::get("/live").header("host", HOST).header("accept", "text/event-stream");
    client.send(stream, String::new()).await.is(204);
    assert_eq!(client.get("/live").await.leads(), "/log-in?then=%2Flive");
    house.running.stop().await;
}

#[tokio::test]
async fn script_in_any_field_stays_text() {
    let house = House::new().await;
    let router = panel(&house);
    let encoded: String = form_urlencoded::byte_serialize(SCRIPT.as_bytes()).collect();
    let fields: Vec<(&str, &str)> = [
        "/email",
        "/password",
        "/name",
        "/label",
        "/code",
        "/reasons",
        "/spec/names",
        "/holder/name",
        "q",
        "then",
        "after",
        "theme",
        "language",
        "state",
        "account",
        "kind",
        "_key",
    ]
    .map(|name| (name, SCRIPT))
    .to_vec();
    let query: String = fields.iter().map(|(name, _)| format!("{name}={encoded}&")).collect();
    let mut looked = 0;
    for (host, page) in pages() {
        if page.path == "/live" {
            continue;
        }
        // Whoever is in is somebody new for each page: some of them end the session, or change the person.
        for inside in [false, true] {
            let mut client = match (inside, host) {
                (false, _) => Client::new(&router, host),
                (true, HOST) => owner(&house, &router, house.ours).await,
                (true, _) => officer(&house, &router).await,
            };
            let path = format!("{}?{query}", filled(page.path, &encoded));
            let answer = if page.method == Method::GET {
                client.get(&path).await
            } else {
                client.submit("/rules-that-are-not", &path, &fields).await
            };
            assert!(!answer.body.contains("<script>alert"), "{page:?}\n{}", answer.body);
            looked += usize::from(answer.body.contains("&lt;script&gt;alert"));
            client.cookies.insert("__Host-flash".to_owned(), encoded.replace('+', "%20"));
            let answer = client.get("/no-such-page").await.is(404);
            assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
        }
    }
    assert!(looked > 0, "nothing of what was typed was shown at all");
    house.running.stop().await;
}

/// A token is for programs. In a browser it is nobody's session, and in an address it is refused and not said again.
#[tokio::test]
async fn a_token_opens_no_page() {
    let house = House::new().await;
    let router = panel(&house);
    for (host, token) in [(HOST, &house.account), (STAFF, &house.staff)] {
        let mut client = Client::new(&router, host);
        client.cookies.insert("__Host-session".to_owned(), token.clone());
        assert!(client.get("/").await.leads().starts_with("/log-in?then=%2F"));
        assert!(!client.cookies.contains_key("__Host-session"), "the cookie goes");
        // Also where a page is for everybody, and in a form.
        client.cookies.insert("__Host-session".to_owned(), token.clone());
        client.get("/log-in").await.is(200);
        client.cookies.insert("__Host-session".to_owned(), token.clone());
        let form = client.get("/log-in").await.token();
        client.cookies.insert("__Host-session".to_owned(), token.clone());
        assert!(client.post("/security/profile", &form, &[("/name", "Eve")]).await.leads().starts_with("/log-in"));
        client.cookies.clear();
        let mut inside =
            if host == HOST { owner(&house, &router, house.ours).await } else { officer(&house, &router).await };
        let session = inside.cookies["__Host-session"].clone();
        for secret in [token, &session] {
            for path in [format!("/?token={secret}"), format!("/log-in?then=%2Fx&s={secret}"), format!("/{secret}")] {
                for visitor in [&mut client, &mut inside] {
                    let page = visitor.get(&path).await.is(400);
                    assert!(!page.body.contains(secret.as_str()), "{}", page.body);
                }
            }
        }
    }
    house.running.stop().await;
}

//! Closing a site: what visitors see, and that everything open is cut before the edge says it is.

use crate::house::{House, Node, nothing, read_to_end, request, soon};
use crate::program::Program;
use http_body_util::BodyExt as _;
use husorden_base::Text;
use husorden_base::site::{FromEdge, Site, Standing, ToEdge};
use std::os::unix::fs::FileExt as _;

/// Larger than every buffer on the way, so that a download stays open while its client reads nothing.
const LARGE: u64 = 64 << 20;

fn large_file(site: &Site) {
    let file = std::fs::File::create(site.root.join("large.bin")).unwrap();
    file.set_len(LARGE).unwrap();
    file.write_all_at(b"begin", 0).unwrap();
}

fn closed(site: &Site) -> Site {
    Site { standing: Standing::Closed { case: "2026-00042".to_owned() }, ..site.clone() }
}

#[tokio::test]
async fn visitors_see_a_case_number_in_their_language_and_no_reason() {
    let mut house = House::start().await;
    let site = house.site(1, "shop.example");
    std::fs::write(site.root.join("index.html"), "open").unwrap();
    house.node.table(std::slice::from_ref(&site)).await;
    assert_eq!(house.client("shop.example").await.get("/").await.text(), "open");

    for (standing, status, danish, english) in [
        (
            Standing::Closed { case: "2026-00042".to_owned() },
            403,
            "Sagsnummer <b>2026-00042</b>",
            "Case number <b>2026-00042</b>",
        ),
        (Standing::Stopped, 503, "Siden er stoppet", "This site is stopped"),
        (Standing::Preparing, 503, "http-equiv=\"refresh\"", "http-equiv=\"refresh\""),
        (
            Standing::Troubled { text: Text::new("Fuld <disk>", "Full <disk>") },
            503,
            "Fuld &lt;disk&gt;",
            "Full &lt;disk&gt;",
        ),
    ] {
        house.node.set(&Site { standing, ..site.clone() }).await;
        let mut client = house.client("shop.example").await;
        for (language, expected) in [("da-DK,da;q=0.9", danish), ("de, en;q=0.1", english)] {
            let got = client.get_with("/any/path?x", &[("accept-language", language)]).await;
            assert_eq!((got.status, got.header("cache-control")), (status, "no-store"));
            assert!(got.text().contains(expected), "{expected} in {}", got.text());
        }
        // Over plain HTTP as well, without a detour.
        assert_eq!(house.client_plain("shop.example").await.get("/").await.status, status);
    }
    house.node.set(&site).await;
    assert_eq!(house.client("shop.example").await.get("/").await.text(), "open");
}

#[tokio::test]
async fn an_open_stream_is_cut_and_its_neighbour_on_the_connection_lives() {
    let mut house = House::start().await;
    let (one, two) = (house.site(1, "one.example"), house.site(2, "two.example"));
    large_file(&one);
    large_file(&two);
    house.node.table(&[one.clone(), two]).await;

    // A hello that names nobody, so that one connection may carry requests for both.
    let mut client = house.client_h2("127.0.0.1").await;
    let uri = |host: &str| format!("https://{host}/large.bin");
    let of_one = client.open(request("GET", &uri("one.example"), &[], nothing())).await.unwrap();
    let of_two = client.open(request("GET", &uri("two.example"), &[], nothing())).await.unwrap();
    assert!(of_one.status() == 200 && of_two.status() == 200);

    // Both are blocked: nobody reads. Closing is acknowledged all the same.
    house.node.set(&closed(&one)).await;
    let (bytes, whole) = read_to_end(of_one.into_body()).await;
    assert!(!whole && bytes < 1 << 20, "{bytes} bytes of the closed site came, whole: {whole}");
    let (bytes, whole) = read_to_end(of_two.into_body()).await;
    assert_eq!((bytes as u64, whole), (LARGE, true));
    let got = client.send(request("GET", &uri("one.example"), &[], nothing())).await;
    assert_eq!(got.status, 403);
}

#[tokio::test]
async fn a_connection_between_requests_stays_and_is_told() {
    let mut house = House::start().await;
    let site = house.site(1, "one.example");
    std::fs::write(site.root.join("index.html"), "open").unwrap();
    house.node.table(std::slice::from_ref(&site)).await;
    // Both versions, on one connection each from before to after.
    let mut clients = [house.client("one.example").await, house.client_h2("one.example").await];
    for (standing, status) in [(closed(&site), 403), (site.clone(), 200), (closed(&site), 403)] {
        for client in &mut clients {
            assert_eq!(client.get("/").await.status, if status == 403 { 200 } else { 403 });
        }
        house.node.set(&standing).await;
        for client in &mut clients {
            assert_eq!(client.get("/").await.status, status);
        }
    }
}

#[tokio::test]
async fn an_open_download_is_cut() {
    let mut house = House::start().await;
    let site = house.site(1, "one.example");
    large_file(&site);
    house.node.table(std::slice::from_ref(&site)).await;
    let mut client = house.client("one.example").await;
    let answer = client.open(request("GET", "/large.bin", &[], nothing())).await.unwrap();
    house.node.set(&closed(&site)).await;
    let (bytes, whole) = read_to_end(answer.into_body()).await;
    assert!(!whole && (bytes as u64) < LARGE, "{bytes} bytes came, whole: {whole}");
    assert_eq!(house.client("one.example").await.get("/large.bin").await.status, 403);
}

#[tokio::test]
async fn a_running_script_is_cut_and_so_is_one_that_has_not_answered() {
    let mut house = House::start().await;
    let socket = house.path("php.sock");
    let program = Program::start(&socket);
    let site = house.php_site(1, "php.example", &socket);
    house.node.table(std::slice::from_ref(&site)).await;
    let mut h2 = house.client_h2("php.example").await;
    let mut h1 = house.client("php.example").await;
    let mut silent = house.client("php.example").await;
    let mut answers = Vec::new();
    for client in [&mut h1, &mut h2] {
        let mut answer = client.open(request("GET", "/hang", &[], nothing())).await.unwrap();
        soon("the beginning", answer.body_mut().frame()).await.unwrap().unwrap();
        answers.push(answer);
    }
    let waiting = tokio::spawn(async move { silent.open(request("GET", "/silent", &[], nothing())).await.is_err() });
    // Reported while they run.
    soon("counts", async {
        loop {
            if let FromEdge::Counts { sites } = house.node.next().await
                && sites.iter().any(|counts| (counts.number, counts.in_flight) == (1, 3))
            {
                return;
            }
        }
    })
    .await;
    house.node.set(&closed(&site)).await;
    for answer in answers {
        assert!(!read_to_end(answer.into_body()).await.1);
    }
    assert!(soon("the silent one", waiting).await.unwrap(), "cut before its answer");
    let mut cut = program.cut.subscribe();
    soon("the program notices", cut.wait_for(|cut| *cut == 2)).await.unwrap();
    // And reported once more when nothing runs.
    soon("counts", async {
        loop {
            if let FromEdge::Counts { sites } = house.node.next().await
                && sites.iter().any(|counts| (counts.number, counts.in_flight) == (1, 0))
            {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_dropped_site_is_cut_too_and_a_closed_one_stays_closed_over_a_restart() {
    let mut house = House::start().await;
    let (one, two) = (house.site(1, "one.example"), house.site(2, "two.example"));
    large_file(&one);
    house.node.table(&[one.clone(), two.clone()]).await;
    let mut client = house.client("one.example").await;
    let answer = client.open(request("GET", "/large.bin", &[], nothing())).await.unwrap();
    house.node.generation += 1;
    house.node.say(&ToEdge::Drop { generation: 2, solution: one.solution }).await;
    house.node.applied(2).await;
    assert!(!read_to_end(answer.into_body()).await.1);
    house.node.set(&closed(&two)).await;

    let directory = house.stop().await;
    let house = House::start_in(directory, Node::dead(), |_| ()).await;
    assert_eq!(house.client("two.example").await.get("/").await.status, 403);
    assert_eq!(house.client("one.example").await.get("/").await.status, 404);
}

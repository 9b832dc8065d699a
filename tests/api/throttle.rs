//! Password guessing: the attacker is slowed down, and the owner is not locked out.

use serde_json::json;

use crate::harness::{Browser, PASSWORD, Panel, long, seconds, until};

fn login(name: &str, password: &str) -> serde_json::Value {
    json!({ "username": name, "password": password })
}

/// From the owner's own address, as behind an unknown proxy or a NAT.
#[tokio::test]
async fn a_right_password_is_never_refused_for_somebody_elses_wrong_ones() {
    let panel = Panel::start().await;
    let mut device = None;
    // Minutes of one attempt every two seconds, all at once: the window is full, the account is under attack.
    for _ in 0..if long() { 120 } else { 25 } {
        let status = panel.anonymous().post("/api/session", login("admin", "wrong password")).await.status;
        assert!(matches!(status, 401 | 429), "{status}");
    }
    for round in 0..if long() { 60 } else { 6 } {
        // From here on the attacker's real rate, and the owner in the middle of it.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        panel
            .anonymous()
            .post("/api/session", login("admin", "wrong password"))
            .await
            .refused(429, "too_many_requests");
        let answer = panel.sign_in_from(device.as_ref(), &login("admin", PASSWORD)).await.expect(200);
        if device.is_none() {
            device = Browser::of(&panel.address, &answer).device;
            assert!(device.is_some(), "a new device: {answer:?}");
        } else {
            assert!(answer.json["deviceKey"].is_null(), "known already, in round {round}");
        }
        // The owner's success does not reset the limit for the attacker at the same address.
        panel
            .anonymous()
            .post("/api/session", login("admin", "wrong password"))
            .await
            .refused(429, "too_many_requests");
    }
}

#[tokio::test]
async fn a_known_device_is_exempt_also_from_a_flood() {
    let panel = Panel::start().await;
    let answer = panel.anonymous().post("/api/session", login("admin", PASSWORD)).await.expect(200);
    let device = Browser::of(&panel.address, &answer).device.unwrap();
    panel.user("jo").await;
    let flood = async || {
        for _ in 0..30 {
            panel.anonymous().post("/api/session", login("admin", "wrong password")).await;
        }
    };
    flood().await;
    panel.anonymous().post("/api/session", login("admin", PASSWORD)).await.refused(429, "too_many_requests");
    panel.sign_in_from(Some(&device), &login("admin", PASSWORD)).await.expect(200);
    flood().await;
    // Neither half alone, nor for another account.
    let (cookie, key) = device.clone();
    for part in
        [(String::new(), key.clone()), (cookie.clone(), String::new()), (cookie.clone(), cookie.clone())]
    {
        panel.sign_in_from(Some(&part), &login("admin", PASSWORD)).await.refused(429, "too_many_requests");
    }
    panel.sign_in_from(Some(&device), &login("jo", "wrong password")).await.refused(429, "too_many_requests");
    // Foreign cookies of the same name do no harm.
    let beside = (format!("device=x; device=a.b.c; {cookie}"), key);
    panel.sign_in_from(Some(&beside), &login("admin", PASSWORD)).await.expect(200);
    // A stolen device key is good for ten guesses.
    let mut looked_at = 0;
    for _ in 0..12 {
        let answer = panel.sign_in_from(Some(&device), &login("admin", "wrong password")).await;
        looked_at += usize::from(answer.status == 401);
    }
    assert_eq!(looked_at, 10);
}

#[tokio::test]
async fn who_is_signed_in_changes_his_password_while_others_guess() {
    let panel = Panel::start().await;
    for _ in 0..30 {
        panel.anonymous().post("/api/session", login("admin", "wrong password")).await;
    }
    let body = json!({ "current": PASSWORD, "new": "another long password" });
    panel.admin().put("/api/me/password", body).await.expect(204);
}

#[tokio::test]
async fn a_right_setup_token_is_taken_whatever_others_tried() {
    let mut panel = Panel::builder().fresh().await;
    for _ in 0..12 {
        let body = json!({ "setupToken": "wrong", "username": "eve", "password": PASSWORD });
        panel.anonymous().post("/api/setup", body).await;
    }
    panel.set_up().await;
}

#[tokio::test]
async fn a_password_is_the_same_in_both_forms_of_its_letters() {
    let panel = Panel::start().await;
    let forms = ["p\u{e2}t\u{e9} de p\u{e9}pins", "pa\u{302}te\u{301} de pe\u{301}pins"];
    for (name, typed) in [("mira", forms[0]), ("jo", forms[1])] {
        let body = json!({ "username": name, "password": typed, "role": "user" });
        panel.admin().post("/api/users", body).await.expect(201);
        for form in forms {
            panel.anonymous().post("/api/session", login(name, form)).await.expect(200);
        }
        panel
            .anonymous()
            .post("/api/session", login(name, "pate de pepins"))
            .await
            .refused(401, "bad_credentials");
    }
    // Unicode normalization of a long run of combining characters stays bounded.
    let answer = panel.anonymous().post("/api/session", login("mira", &"\u{301}".repeat(512))).await;
    assert_eq!(answer.status, 401);
    until("the panel is well", seconds(5), async || panel.anonymous().try_get("/health").await).await;
}

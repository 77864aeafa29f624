use super::{Event, Parser};

fn parse(chunks: &[&str]) -> Vec<Event> {
    let mut parser = Parser::default();
    chunks
        .iter()
        .flat_map(|chunk| parser.push(chunk.as_bytes()).unwrap())
        .collect()
}

fn event(id: &str, name: &str, data: &str) -> Event {
    Event {
        id: id.to_owned(),
        name: name.to_owned(),
        data: data.to_owned(),
    }
}

#[test]
fn events_are_whole_at_the_empty_line() {
    let text = "id: 7\nevent: lagged\ndata: {\"a\":1}\n\n: ping\n\ndata:x\ndata: y\n\n";
    let expected = vec![
        event("7", "lagged", "{\"a\":1}"),
        event("", "message", "x\ny"),
    ];
    assert_eq!(parse(&[text]), expected);
    let letters: Vec<String> = text.chars().map(String::from).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    assert_eq!(parse(&letters), expected);
    assert_eq!(parse(&[&text.replace('\n', "\r\n")]), expected);
    assert_eq!(parse(&[&text.replace('\n', "\r")]), expected);
}

#[test]
fn an_event_without_data_or_without_its_end_is_none() {
    assert_eq!(parse(&["id: 1\n\n"]), []);
    assert_eq!(parse(&["data: half"]), []);
}

#[test]
fn an_endless_line_is_refused() {
    let mut parser = Parser::default();
    let chunk = vec![b'x'; 1 << 20];
    assert!((0..8).any(|_| parser.push(&chunk).is_err()));
}

//! Whatever bytes come: no decoder panics, and every line that is not taken comes back with a reason.

use std::io::Cursor;

use proptest::prelude::*;
use stammgast::intake::Found;
use stammgast::intake::customers::Customers;
use stammgast::intake::mapping::Maps;
use stammgast::intake::orders::Orders;

use super::options;

fn decode(bytes: &[u8]) {
    if let Ok(decoder) = Customers::open(Box::new(Cursor::new(bytes.to_vec())), &Maps::default(), options()) {
        for found in decoder {
            if let Found::Refused(lines) = found.unwrap() {
                assert!(lines.iter().all(|line| line.line > 0 && !line.reason.is_empty()));
            }
        }
    }
    if let Ok(decoder) = Orders::open(Box::new(Cursor::new(bytes.to_vec())), &Maps::default(), options()) {
        for found in decoder {
            match found.unwrap() {
                Found::Refused(lines) => assert!(lines.iter().all(|line| line.line > 0 && !line.reason.is_empty())),
                Found::Record(order) => assert!(!order.external_id.is_empty() && !order.customer_external_id.is_empty() && order.revenue.0 >= 0),
            }
        }
    }
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    let texts = [
        "customer_id,date,amount",
        "order_id;email;datum;betrag;sku;menge;preis",
        "\n",
        "\r\n",
        ",",
        ";",
        "\"",
        "\"\"",
        "7",
        "1997-01-01",
        "04/05/2025",
        "29.33",
        "1.234,5",
        "-5",
        "a@b.example",
        "{\"order_id\":7,\"customer_id\":1,\"date\":\"1997-01-01\",\"amount\":5}",
        "{\"id\":1,\"email\":\"a@b.example\",\"created_at\":\"1997-01-01\",\"total\":1,\"line_items\":[{\"sku\":1,\"quantity\":2,\"price\":3},{}]}",
        "\u{feff}",
        "ä",
        "\0",
        "99999999999999999999",
        "sep=;",
    ];
    prop_oneof![proptest::sample::select(texts.map(|text| text.as_bytes().to_vec()).to_vec()), proptest::collection::vec(any::<u8>(), 0..6)]
}

proptest! {
    #[test]
    fn random_bytes_never_panic_a_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        decode(&bytes);
    }

    #[test]
    fn random_pieces_of_exports_never_panic_a_decoder(parts in proptest::collection::vec(part(), 0..40)) {
        decode(&parts.concat());
        let mut with_header = b"order_id,customer_id,date,amount,sku,quantity,price\n".to_vec();
        with_header.extend(parts.concat());
        decode(&with_header);
    }
}

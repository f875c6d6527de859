//! The elementary functions against values of high precision (`table.py` says whence).

use mixdown_dsp::math;

fn number(hex: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(hex, 16).expect("because the table holds bits in hex"))
}

/// How many doubles lie between two numbers of one sign, both ends counted once.
fn ulps(a: f64, b: f64) -> u64 {
    assert_eq!(a.is_sign_negative(), b.is_sign_negative(), "{a} and {b}");
    a.to_bits().abs_diff(b.to_bits())
}

#[test]
fn no_function_is_off_by_more_than_one_unit_in_the_last_place() {
    let mut tried = 0;
    for line in include_str!("table.txt").lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let x = number(fields[1]);
        let value = match fields[0] {
            "sin" => math::sin(x),
            "cos" => math::cos(x),
            "tan" => math::tan(x),
            "exp" => math::exp(x),
            "exp2" => math::exp2(x),
            "ln" => math::ln(x),
            "log2" => math::log2(x),
            "powf" => math::powf(x, number(fields[2])),
            other => panic!("the table names {other}"),
        };
        let exact = number(fields[fields.len() - 1]);
        assert!(ulps(value, exact) <= 1, "{} of {x}: {value}, not {exact}", fields[0]);
        tried += 1;
    }
    assert_eq!(tried, 8 * 150);
}

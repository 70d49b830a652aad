//! A small writer of SVG: escapes every text, closes every element, brings the style along.

use std::fmt::Write as _;

/// How many shades from little to much.
pub(super) const SHADES: usize = 7;

/// `h0` to `h6` are the shades with the text on them (`t0` to `t6`); ColorBrewer's Blues in light pages, the same way round in dark ones: what stands
/// out is much.
const STYLE: &str = "\
text{font-family:Helvetica,Arial,sans-serif;font-size:12px;fill:#333}.page{fill:#fff}.title{font-size:15px;font-weight:bold;fill:#111}.head{font-weight:bold;fill:#111}.small{font-size:10px}\
.halo{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}.reach{stroke:#333;stroke-width:1.5;fill:none}\
.line{stroke:#0072b2;stroke-width:2.5;fill:none}.even{stroke:#888;stroke-width:1;stroke-dasharray:4 4;fill:none}.rule{stroke:#ddd;stroke-width:1;fill:none}.mark{fill:#d55e00}\
.h0{fill:#eff3ff}.h1{fill:#c6dbef}.h2{fill:#9ecae1}.h3{fill:#6baed6}.h4{fill:#4292c6}.h5{fill:#2171b5}.h6{fill:#084594}\
.t0,.t1,.t2,.t3,.t4{fill:#111}.t5,.t6{fill:#fff}\
@media (prefers-color-scheme:dark){text{fill:#ccc}.page{fill:#16181c}.title,.head{fill:#fff}.halo{stroke:#16181c}.reach{stroke:#ddd}.line{stroke:#56b4e9}.even{stroke:#999}.rule{stroke:#3a3d44}.mark{fill:#e69f00}\
.h0{fill:#10243a}.h1{fill:#16395c}.h2{fill:#1d5083}.h3{fill:#2767a5}.h4{fill:#6aaad8}.h5{fill:#9ecae1}.h6{fill:#deebf7}\
.t0,.t1,.t2,.t3{fill:#fff}.t4,.t5,.t6{fill:#111}}";

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture in the making.
pub(super) struct Svg {
    body: String,
}

impl Svg {
    /// Begins a picture of so many pixels; `title` is its heading and what a screen reader says, `description` says what is to be seen.
    pub(super) fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        let mut svg = Self { body: String::new() };
        let _ = write!(
            svg.body,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" \
             aria-labelledby=\"title desc\">\n<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>{STYLE}</style>\n",
            escaped(title),
            escaped(description)
        );
        svg.rect("page", [0.0, 0.0, width, height]);
        svg.text("title", [16.0, 26.0], Anchor::Start, title);
        svg
    }

    /// A rectangle: x, y, width, height.
    pub(super) fn rect(&mut self, class: &str, [x, y, width, height]: [f64; 4]) {
        let _ = writeln!(self.body, "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>");
    }

    /// A text with its baseline at x, y.
    pub(super) fn text(&mut self, class: &str, [x, y]: [f64; 2], anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(self.body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(text));
    }

    /// A line through the points.
    pub(super) fn line(&mut self, class: &str, points: &[[f64; 2]]) {
        let points: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.body, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }

    /// A point.
    pub(super) fn dot(&mut self, class: &str, [x, y]: [f64; 2]) {
        let _ = writeln!(self.body, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
    }

    /// The whole text of the picture.
    pub(super) fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }
}

/// The shade of a value between 0 and the highest: 0 to 6; only nothing has the first.
pub(super) fn shade(value: f64, highest: f64) -> usize {
    let steps = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    let part = if highest > 0.0 { (value / highest).clamp(0.0, 1.0) * 6.0 } else { 0.0 };
    steps.iter().filter(|step| **step < part).count().min(SHADES - 1)
}

/// A whole number as a place in the picture.
#[expect(clippy::cast_precision_loss, reason = "rows and columns of a picture")]
pub(super) fn place(count: usize) -> f64 {
    count as f64
}

/// A text without anything that XML would take for itself or forbids.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

//! Learning curves as SVG: a line for each arm, the mean over its seeds, and a band from the lowest seed to the highest.

use std::fmt::Write as _;

/// The line of one arm.
pub struct Curve {
    pub name: String,
    pub points: Vec<Point>,
}

/// The mean over seeds at one place, and the range of the seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// Colours that are told apart by those who see few (Okabe and Ito 2008), in an order of growing likeness.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#888888"];
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// Draws curves over a common axis. One without points keeps its colour from the others, and is not drawn.
pub fn svg(title: &str, x_name: &str, y_name: &str, curves: &[Curve]) -> String {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let x = Axis::over(all().map(|point| point.x), LEFT, WIDTH - RIGHT);
    let y = Axis::over(all().flat_map(|point| [point.low, point.high]), HEIGHT - BOTTOM, TOP);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"{0}\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{0}</text>\n",
        escaped(title)
    );
    for tick in y.ticks() {
        let at = y.place(tick);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            shown(tick)
        );
    }
    for tick in x.ticks() {
        let at = x.place(tick);
        let foot = HEIGHT - BOTTOM;
        let _ = writeln!(
            text,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{foot}\" y2=\"{:.1}\" stroke=\"#666666\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            foot + 5.0,
            foot + 20.0,
            shown(tick)
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
         <text transform=\"translate(16 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 12.0,
        escaped(x_name),
        (TOP + HEIGHT - BOTTOM) / 2.0,
        escaped(y_name)
    );
    // An arm has the same colour in every picture, whether or not the others have points in it.
    let drawn = curves.iter().enumerate().filter(|(_, curve)| !curve.points.is_empty());
    for (row, (index, curve)) in drawn.enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let path = |of: &dyn Fn(&Point) -> f64| -> Vec<String> {
            curve.points.iter().map(|point| format!("{:.1},{:.1}", x.place(point.x), y.place(of(point)))).collect()
        };
        let mut band = path(&|point| point.high);
        band.extend(path(&|point| point.low).into_iter().rev());
        let line = path(&|point| point.mean);
        let legend = TOP + 18.0 * row as f64;
        let _ = writeln!(
            text,
            "<polygon points=\"{}\" fill=\"{colour}\" fill-opacity=\"0.15\"/>\
             <polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{legend}\" y2=\"{legend}\" stroke=\"{colour}\" stroke-width=\"3\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            band.join(" "),
            line.join(" "),
            WIDTH - RIGHT + 12.0,
            WIDTH - RIGHT + 32.0,
            WIDTH - RIGHT + 38.0,
            legend + 4.0,
            escaped(&curve.name)
        );
    }
    text + "</svg>\n"
}

/// From values to places on the picture.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Axis {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // Numbers that hardly differ would all be drawn as noise, and numbers so close that their difference is none, nowhere.
        let least = (low.abs().max(high.abs()) * 1e-9).max(1e-9);
        if high - low < least {
            let half = (low.abs() / 20.0).max(0.5);
            (low, high) = (low - half, high + half);
        }
        Axis { low, high, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value.clamp(self.low, self.high) - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// About five round numbers.
    fn ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        (0..=(last - first) as i64).map(|number| (first + number as f64) * step).collect()
    }
}

fn shown(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    match rounded.abs() {
        size if size >= 1e6 => format!("{} M", rounded / 1e6),
        size if size >= 1e4 => format!("{} k", rounded / 1e3),
        _ => rounded.to_string(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_values() {
        let axis = Axis::over([0.13, 0.92].into_iter(), 0.0, 100.0);
        let shown: Vec<String> = axis.ticks().into_iter().map(shown).collect();
        assert_eq!(shown, ["0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(axis.place(0.13), 0.0);
        assert_eq!(axis.place(0.92), 100.0);
        assert!(Axis::over(std::iter::empty(), 0.0, 1.0).ticks().len() > 1);
    }

    #[test]
    fn values_that_hardly_differ_or_are_huge_have_few_ticks_and_places() {
        for values in [[0.0, 5e-324], [1e20, 1e20], [-1e300, 1e300], [3.0, 3.0], [f64::NAN, f64::INFINITY]] {
            let axis = Axis::over(values.into_iter(), 0.0, 100.0);
            assert!((1..20).contains(&axis.ticks().len()), "{values:?}: {:?}", axis.ticks());
            assert!(values.into_iter().filter(|value| value.is_finite()).all(|value| axis.place(value).is_finite()));
        }
    }

    #[test]
    fn a_name_in_a_picture_is_only_text() {
        let curve = Curve { name: "<script>".into(), points: vec![Point { x: 0.0, mean: 1.0, low: 1.0, high: 1.0 }] };
        let picture = svg("a & b", "steps", "score", &[curve]);
        assert!(!picture.contains("<script>") && picture.contains("&lt;script&gt;") && picture.contains("a &amp; b"));
    }
}

//! Colours that can be told apart, also by people who see fewer of them.

use image::Rgb;

/// Familiar classes of street scenes. The hues follow the Cityscapes palette;
/// lightness is spread so that any two stay at least 0.1 apart in Oklab with
/// normal sight, protanopia and deuteranopia alike.
const STREET: [(&str, [u8; 3]); 11] = [
    ("road", [122, 82, 154]),
    ("sidewalk", [239, 198, 205]),
    ("terrain", [196, 250, 147]),
    ("building", [83, 83, 83]),
    ("wall", [168, 127, 137]),
    ("pole", [241, 192, 47]),
    ("vegetation", [40, 137, 59]),
    ("sky", [130, 180, 236]),
    ("person", [250, 8, 12]),
    ("vehicle", [17, 32, 140]),
    ("car", [17, 32, 140]),
];

/// Categorical colours safe for colour-blind readers (Okabe and Ito, 2008).
const OKABE_ITO: [[u8; 3]; 7] = [
    [0, 114, 178],
    [230, 159, 0],
    [0, 158, 115],
    [204, 121, 167],
    [240, 228, 66],
    [213, 94, 0],
    [86, 180, 233],
];

/// One colour per class: the familiar one for a familiar name, else one unlike all others.
pub fn classes(names: &[String]) -> Vec<Rgb<u8>> {
    let familiar = |name: &String| {
        STREET.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|&(_, colour)| colour)
    };
    let mut used: Vec<[u8; 3]> = names.iter().filter_map(familiar).collect();
    let fresh = names.len() - used.len();
    let known = used.len();
    extend(&mut used, fresh);
    let mut fresh = used.split_off(known).into_iter();
    names.iter().filter_map(|name| familiar(name).or_else(|| fresh.next())).map(Rgb).collect()
}

/// `count` colours, each unlike the others; the first ones do not depend on `count`.
pub fn distinct(count: usize) -> Vec<Rgb<u8>> {
    let mut colours: Vec<_> = OKABE_ITO.into_iter().take(count).collect();
    let missing = count - colours.len();
    extend(&mut colours, missing);
    colours.into_iter().map(Rgb).collect()
}

/// Adds `count` colours, each the one farthest from all before it.
fn extend(colours: &mut Vec<[u8; 3]>, count: usize) {
    let white_and_ink = [[255, 255, 255], [33, 37, 41]];
    let mut candidates: Vec<_> = grid().map(|colour| (colour, seen(colour), f64::INFINITY)).collect();
    let mut avoid = |other: [u8; 3]| -> [u8; 3] {
        let other = seen(other);
        let mut farthest = ([0; 3], -1.0);
        for (colour, appearance, nearest) in &mut candidates {
            *nearest = nearest.min(distance(appearance, &other));
            if *nearest > farthest.1 {
                farthest = (*colour, *nearest);
            }
        }
        farthest.0
    };
    let mut next = [0; 3];
    for &colour in white_and_ink.iter().chain(colours.iter()) {
        next = avoid(colour);
    }
    for _ in 0..count {
        colours.push(next);
        next = avoid(next);
    }
}

/// Candidate colours: a grid over the RGB cube.
fn grid() -> impl Iterator<Item = [u8; 3]> {
    const STEPS: usize = 10;
    let level = |step: usize| (step * 255 / (STEPS - 1)) as u8;
    (0..STEPS.pow(3)).map(move |i| [level(i / STEPS / STEPS), level(i / STEPS % STEPS), level(i % STEPS)])
}

/// How a colour appears, in Oklab, with normal sight, protanopia and deuteranopia.
fn seen(colour: [u8; 3]) -> [[f64; 3]; 3] {
    // Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
    const PROTANOPIA: [[f64; 3]; 3] =
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]];
    const DEUTERANOPIA: [[f64; 3]; 3] =
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]];
    let linear = colour.map(|level| linear(f64::from(level) / 255.0));
    [linear, multiply(&PROTANOPIA, linear), multiply(&DEUTERANOPIA, linear)].map(oklab)
}

/// The smallest difference any of the three kinds of sight perceives.
fn distance(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> f64 {
    let between =
        |a: &[f64; 3], b: &[f64; 3]| (0..3).map(|i| (a[i] - b[i]) * (a[i] - b[i])).sum::<f64>().sqrt();
    a.iter().zip(b).map(|(a, b)| between(a, b)).fold(f64::INFINITY, f64::min)
}

/// Light of an sRGB level (IEC 61966-2-1).
fn linear(level: f64) -> f64 {
    if level <= 0.04045 { level / 12.92 } else { libm::pow((level + 0.055) / 1.055, 2.4) }
}

/// Linear RGB in Oklab (Björn Ottosson, 2020).
fn oklab(rgb: [f64; 3]) -> [f64; 3] {
    const TO_CONES: [[f64; 3]; 3] = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ];
    const TO_LAB: [[f64; 3]; 3] = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ];
    let visible = rgb.map(|light| light.clamp(0.0, 1.0));
    multiply(&TO_LAB, multiply(&TO_CONES, visible).map(libm::cbrt))
}

fn multiply(matrix: &[[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| (0..3).map(|i| row[i] * vector[i]).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closest(colours: &[Rgb<u8>]) -> f64 {
        let seen: Vec<_> = colours.iter().map(|colour| seen(colour.0)).collect();
        let pairs = (0..seen.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs.map(|(i, j)| distance(&seen[i], &seen[j])).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn familiar_classes_are_told_apart_by_everyone() {
        let names: Vec<String> = STREET[..10].iter().map(|(name, _)| (*name).to_owned()).collect();
        assert!(closest(&classes(&names)) > 0.1);
    }

    #[test]
    fn unfamiliar_classes_avoid_familiar_colours() {
        let names = ["lane", "Road", "tram", "sky"].map(str::to_owned);
        let colours = classes(&names);
        assert_eq!((colours[1], colours[3]), (Rgb([122, 82, 154]), Rgb([130, 180, 236])));
        assert!(closest(&colours) > 0.1);
    }

    #[test]
    fn many_colours_stay_distinct() {
        assert!(closest(&distinct(8)) > 0.06);
        assert!(closest(&distinct(16)) > 0.06);
        assert!(closest(&distinct(64)) > 0.03);
        assert_eq!(distinct(256).len(), 256);
        assert_eq!(distinct(64)[..5], distinct(5));
    }
}

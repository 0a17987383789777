import { benchmarks } from '../datasets/benchmarks.ts'
import { markup, type Markup, trusted } from './markup.ts'

/** How the authors' works are cited, by benchmark. */
const works: Readonly<Record<string, string>> = {
  'imagenet-1k':
    'O. Russakovsky, J. Deng, H. Su, J. Krause, S. Satheesh, S. Ma, Z. Huang, A. Karpathy, A. Khosla, M. Bernstein, A. C. Berg, L. Fei-Fei. ImageNet Large Scale Visual Recognition Challenge. International Journal of Computer Vision, 2015.',
  'imagenet-v2':
    'B. Recht, R. Roelofs, L. Schmidt, V. Shankar. Do ImageNet Classifiers Generalize to ImageNet? International Conference on Machine Learning, 2019.',
  'imagenet-sketch':
    'H. Wang, S. Ge, Z. Lipton, E. P. Xing. Learning Robust Global Representations by Penalizing Local Predictive Power. Advances in Neural Information Processing Systems, 2019.',
  'imagenet-r':
    'D. Hendrycks, S. Basart, N. Mu, S. Kadavath, F. Wang, E. Dorundo, R. Desai, T. Zhu, S. Parajuli, M. Guo, D. Song, J. Steinhardt, J. Gilmer. The Many Faces of Robustness: A Critical Analysis of Out-of-Distribution Generalization. International Conference on Computer Vision, 2021.',
  'imagenet-a':
    'D. Hendrycks, K. Zhao, S. Basart, J. Steinhardt, D. Song. Natural Adversarial Examples. Conference on Computer Vision and Pattern Recognition, 2021.',
  'imagenet-c':
    'D. Hendrycks, T. Dietterich. Benchmarking Neural Network Robustness to Common Corruptions and Perturbations. International Conference on Learning Representations, 2019.',
  objectnet:
    'A. Barbu, D. Mayo, J. Alverio, W. Luo, C. Wang, D. Gutfreund, J. Tenenbaum, B. Katz. ObjectNet: A Large-Scale Bias-Controlled Dataset for Pushing the Limits of Object Recognition Models. Advances in Neural Information Processing Systems, 2019.',
  dollarstreet:
    'W. A. Gaviria Rojas, S. Diamos, K. R. Kini, D. Kanter, V. Janapa Reddi, C. Coleman. The Dollar Street Dataset: Images Representing the Geographic and Socioeconomic Diversity of the World. Advances in Neural Information Processing Systems, Datasets and Benchmarks Track, 2022.',
  geode:
    'V. V. Ramaswamy, S. Y. Lin, D. Zhao, A. B. Adcock, L. van der Maaten, D. Ghadiyaram, O. Russakovsky. GeoDE: A Geographically Diverse Evaluation Dataset for Object Recognition. Advances in Neural Information Processing Systems, Datasets and Benchmarks Track, 2023.',
}

const paper =
  'M. Richards, P. Kirichenko, D. Bouchacourt, M. Ibrahim. Does Progress On Object Recognition Benchmarks Improve Performance On Crowdsourced, Global Data? International Conference on Learning Representations, 2024.'

/** What to cite for these data sets, their terms, and the paper whose measures these are. */
export function citations(datasets: readonly string[], bibtex: string): Markup {
  const used = new Set(datasets.map(name => name.split('/')[0]))
  const items = benchmarks
    .filter(({ name }) => used.has(name))
    .map(
      ({ name, title, terms, source }) =>
        markup`<li><strong>${title}.</strong> ${works[name]} Terms: ${terms}. ${source}</li> `,
    )
  return markup`<ul>
    <li><strong>The measures.</strong> ${paper}</li>
    ${items}
    </ul>
    <h3>BibTeX</h3>
    <pre class="scroll" tabindex="0" role="region" aria-label="BibTeX">${bibtex.split('\n').map(line => [line, trusted('\n')])}</pre> `
}

/** BibTeX of the paper whose measures these are and of the benchmarks, by benchmark name. */
const paperBibtex = `@inproceedings{richards2024progress,
  title = {Does Progress On Object Recognition Benchmarks Improve Performance On Crowdsourced, Global Data?},
  author = {Richards, Megan and Kirichenko, Polina and Bouchacourt, Diane and Ibrahim, Mark},
  booktitle = {International Conference on Learning Representations},
  year = {2024}
}`

interface Work {
  key: string
  title: string
  author: string
  where: string
  year: number
}

const works: Readonly<Record<string, Work>> = {
  'imagenet-1k': {
    key: 'russakovsky2015imagenet',
    title: 'ImageNet Large Scale Visual Recognition Challenge',
    author: 'Russakovsky, Olga and others',
    where: 'International Journal of Computer Vision',
    year: 2015,
  },
  'imagenet-v2': {
    key: 'recht2019imagenet',
    title: 'Do ImageNet Classifiers Generalize to ImageNet?',
    author: 'Recht, Benjamin and Roelofs, Rebecca and Schmidt, Ludwig and Shankar, Vaishaal',
    where: 'International Conference on Machine Learning',
    year: 2019,
  },
  'imagenet-sketch': {
    key: 'wang2019learning',
    title: 'Learning Robust Global Representations by Penalizing Local Predictive Power',
    author: 'Wang, Haohan and Ge, Songwei and Lipton, Zachary and Xing, Eric P.',
    where: 'Advances in Neural Information Processing Systems',
    year: 2019,
  },
  'imagenet-r': {
    key: 'hendrycks2021many',
    title: 'The Many Faces of Robustness: A Critical Analysis of Out-of-Distribution Generalization',
    author: 'Hendrycks, Dan and others',
    where: 'International Conference on Computer Vision',
    year: 2021,
  },
  'imagenet-a': {
    key: 'hendrycks2021natural',
    title: 'Natural Adversarial Examples',
    author: 'Hendrycks, Dan and Zhao, Kevin and Basart, Steven and Steinhardt, Jacob and Song, Dawn',
    where: 'Conference on Computer Vision and Pattern Recognition',
    year: 2021,
  },
  'imagenet-c': {
    key: 'hendrycks2019benchmarking',
    title: 'Benchmarking Neural Network Robustness to Common Corruptions and Perturbations',
    author: 'Hendrycks, Dan and Dietterich, Thomas',
    where: 'International Conference on Learning Representations',
    year: 2019,
  },
  objectnet: {
    key: 'barbu2019objectnet',
    title: 'ObjectNet: A Large-Scale Bias-Controlled Dataset for Pushing the Limits of Object Recognition Models',
    author: 'Barbu, Andrei and others',
    where: 'Advances in Neural Information Processing Systems',
    year: 2019,
  },
  dollarstreet: {
    key: 'gaviria2022dollar',
    title: 'The Dollar Street Dataset: Images Representing the Geographic and Socioeconomic Diversity of the World',
    author: 'Gaviria Rojas, William A. and others',
    where: 'Advances in Neural Information Processing Systems, Datasets and Benchmarks Track',
    year: 2022,
  },
  geode: {
    key: 'ramaswamy2023geode',
    title: 'GeoDE: A Geographically Diverse Evaluation Dataset for Object Recognition',
    author: 'Ramaswamy, Vikram V. and others',
    where: 'Advances in Neural Information Processing Systems, Datasets and Benchmarks Track',
    year: 2023,
  },
}

/** The key that a text cites a data set by; undefined for one that is no known benchmark. */
export const citeKey = (dataset: string): string | undefined => works[dataset.split('/')[0]!]?.key

/** Entries of the paper and of the benchmarks among `datasets`. */
export function bibtex(datasets: readonly string[]): string {
  const names = [...new Set(datasets.map(name => name.split('/')[0]!))]
  const entries = names.flatMap(name => {
    const work = works[name]
    if (!work) return []
    const { key, title, author, where, year } = work
    const kind = where.includes('Journal')
      ? (['article', 'journal'] as const)
      : (['inproceedings', 'booktitle'] as const)
    return `@${kind[0]}{${key},\n  title = {{${title}}},\n  author = {${author}},\n  ${kind[1]} = {${where}},\n  year = {${year}}\n}`
  })
  return [paperBibtex, ...entries].join('\n\n')
}

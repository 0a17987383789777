import { unknownNameError } from '../lib/errors.ts'
import { beits } from './families/beit.ts'
import { convMixers } from './families/convmixer.ts'
import { mobileViTs } from './families/mobilevit.ts'
import { fastViTs } from './families/fastvit.ts'
import { repViTs } from './families/repvit.ts'
import { starNets } from './families/starnet.ts'
import { ghostNets } from './families/ghostnet.ts'
import { cpuBones } from './families/cpubone.ts'
import { fasterNets } from './families/fasternet.ts'
import { rdNets } from './families/rdnet.ts'
import { byoaNets } from './families/byoanet.ts'
import { byobNets } from './families/byobnet.ts'
import { convNexts } from './families/convnext.ts'
import { clips } from './families/clip.ts'
import { cspNexts, cspNets } from './families/cspnet.ts'
import { csatV2s } from './families/csatv2.ts'
import { davits } from './families/davit.ts'
import { denseNets } from './families/densenet.ts'
import { dinos } from './families/dinov2.ts'
import { dlas } from './families/dla.ts'
import { dpns } from './families/dpn.ts'
import { edgeNeXts } from './families/edgenext.ts'
import { efficientFormers } from './families/efficientFormer.ts'
import { efficientFormersV2 } from './families/efficientFormerV2.ts'
import { efficientNets } from './families/efficientnet.ts'
import { efficientViMs } from './families/efficientvim.ts'
import { efficientViTs } from './families/efficientvit.ts'
import { evas } from './families/eva.ts'
import { type Architecture } from './families/family.ts'
import { focalNets } from './families/focalnet.ts'
import { gcVits } from './families/gcvit.ts'
import { hgNets } from './families/hgnet.ts'
import { hieras } from './families/hiera.ts'
import { hrnets } from './families/hrnet.ts'
import { flavas } from './families/flava.ts'
import { inceptionNexts } from './families/inceptionNext.ts'
import { maxxVits } from './families/maxxvit.ts'
import { metaFormers } from './families/metaformer.ts'
import { gmlps } from './families/gmlp.ts'
import { mixers } from './families/mixer.ts'
import { nextViTs } from './families/nextvit.ts'
import { nfNets } from './families/nfnet.ts'
import { resmlps } from './families/resmlp.ts'
import { mvits } from './families/mvitV2.ts'
import { nests } from './families/nest.ts'
import { pvts } from './families/pvtV2.ts'
import { inceptions } from './families/inception.ts'
import { nasNets } from './families/nasnet.ts'
import { regnets, seers } from './families/regnet.ts'
import { res2Nets } from './families/res2net.ts'
import { resNeSts } from './families/resnest.ts'
import { resnets } from './families/resnet.ts'
import { resNetV2s } from './families/resnetv2.ts'
import { rexnets } from './families/rexnet.ts'
import { selecSlses } from './families/selecsls.ts'
import { seNets } from './families/senet.ts'
import { skNets } from './families/sknet.ts'
import { swins } from './families/swin.ts'
import { twinsModels } from './families/twins.ts'
import { tResNets } from './families/tresnet.ts'
import { vggs } from './families/vgg.ts'
import { relposVits } from './families/vitRelpos.ts'
import { hybridViTs, vits } from './families/vit.ts'
import { caits } from './families/cait.ts'
import { coats } from './families/coat.ts'
import { crossVits } from './families/crossvit.ts'
import { efficientVits } from './families/efficientVitMsra.ts'
import { lcNetV2s } from './families/lcnetv2.ts'
import { levits } from './families/levit.ts'
import { lowFormers } from './families/lowformer.ts'
import { mambaOuts } from './families/mambaout.ts'
import { pits } from './families/pit.ts'
import { shvits } from './families/shvit.ts'
import { tinyVits } from './families/tinyVit.ts'
import { volos } from './families/volo.ts'
import { convits } from './families/convit.ts'
import { iformers } from './families/iformer.ts'
import { naflexVits } from './families/naflexvit.ts'
import { sequencers } from './families/sequencer.ts'
import { swiftFormers } from './families/swiftformer.ts'
import { tnts } from './families/tnt.ts'
import { visformers } from './families/visformer.ts'
import { voVNets } from './families/vovnet.ts'
import { xceptions } from './families/xception.ts'
import { xcits } from './families/xcit.ts'

/** All architectures by their names in the reference libraries. */
export const architectures: Readonly<Record<string, Architecture>> = {
  ...resnets,
  ...res2Nets,
  ...resNeSts,
  ...skNets,
  ...seNets,
  ...tResNets,
  ...byobNets,
  ...byoaNets,
  ...mobileViTs,
  ...fastViTs,
  ...repViTs,
  ...starNets,
  ...fasterNets,
  ...cpuBones,
  ...ghostNets,
  ...rdNets,
  ...vggs,
  ...denseNets,
  ...dpns,
  ...xceptions,
  ...selecSlses,
  ...inceptions,
  ...nasNets,
  ...dlas,
  ...hrnets,
  ...rexnets,
  ...regnets,
  ...seers,
  ...convNexts,
  ...edgeNeXts,
  ...efficientNets,
  ...vits,
  ...mixers,
  ...resmlps,
  ...gmlps,
  ...xcits,
  ...convits,
  ...iformers,
  ...naflexVits,
  ...sequencers,
  ...swiftFormers,
  ...tnts,
  ...visformers,
  ...caits,
  ...coats,
  ...crossVits,
  ...efficientVits,
  ...levits,
  ...mambaOuts,
  ...pits,
  ...shvits,
  ...tinyVits,
  ...volos,
  ...dinos,
  ...evas,
  ...beits,
  ...swins,
  ...maxxVits,
  ...metaFormers,
  ...relposVits,
  ...hieras,
  ...pvts,
  ...twinsModels,
  ...focalNets,
  ...gcVits,
  ...inceptionNexts,
  ...davits,
  ...mvits,
  ...efficientFormers,
  ...efficientFormersV2,
  ...nests,
  ...efficientViTs,
  ...hgNets,
  ...resNetV2s,
  ...hybridViTs,
  ...cspNets,
  ...cspNexts,
  ...nfNets,
  ...efficientViMs,
  ...nextViTs,
  ...convMixers,
  ...voVNets,
  ...csatV2s,
  ...lcNetV2s,
  ...lowFormers,
  ...clips,
  ...flavas,
}

/** Returns an architecture. @throws GeogapError `unknown-model` */
export function findArchitecture(name: string): Architecture {
  if (!Object.hasOwn(architectures, name))
    throw unknownNameError('model', name, Object.keys(architectures))
  return architectures[name]!
}

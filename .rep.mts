import { openBrowser } from './test/helpers/browser.ts'
const b=await openBrowser()
for (const width of [390,1440]) {
  const p=await b.newPage({viewport:{width,height:900}})
  const t=Date.now()
  await p.goto('file:///tmp/dh/rep300.html',{waitUntil:'load'})
  const f=await p.evaluate(`(()=>{const r=document.documentElement;return {h:r.scrollHeight/900,sw:r.scrollWidth,cw:r.clientWidth,sections:[...document.querySelectorAll('h2')].map(h=>h.textContent+' '+Math.round(h.getBoundingClientRect().top/90)/10)}})()`)
  console.log(width,Date.now()-t,JSON.stringify(f))
  await p.screenshot({path:`/tmp/dh/rep-${width}-top.png`})
  if(width===1440) for (const format of ['A4','Letter']) { const t=Date.now(); await p.pdf({path:`/tmp/dh/rep-${format}.pdf`,format:format as 'A4',printBackground:true}); console.log(format,Date.now()-t) }
  await p.close()
}
await b.close()

// What each route is for, in Chinese; the English stands in the brain's own description. A test holds this against docs/openapi.json.
import type { Text } from '../api/types';

/** The groups are the first words of the paths. */
export const tagWords: Record<string, Text> = {
  hub: { zh: '中枢：使用数据、契约、目录', en: 'Hub: uses of data, contracts, catalog' },
  log: { zh: '账本：公开的凭证文件', en: 'Ledger: the public files of receipts' },
  'log-sm': { zh: '国密并行账本', en: 'Ledger in SM2 and SM3' },
  VIID: { zh: '卡口相机（GA/T 1400）', en: 'Cameras (GA/T 1400)' },
  cockpit: { zh: '驾驶舱：指标与地图', en: 'Cockpit: figures and map' },
  party: { zh: '登录', en: 'Sign-in' },
  case: { zh: '事件：给人办的事', en: 'Cases: work for people' },
  brain: { zh: '程序自身与页面', en: 'The program and its screens' },
  assets: { zh: '页面的静态文件', en: 'Static files of the screens' },
  docs: { zh: '接口说明', en: 'This description' },
};

const zh: Record<string, string> = {
  'get /hub/v1/subscribe/{area}/{party}/{name}': '订阅一条流：按契约逐窗口推送，每个窗口一张凭证（服务器推送事件）',
  'post /hub/v1/query': '跨部门查询：一条 SELECT，每个资源各凭其契约',
  'post /hub/v1/call/{area}/{party}/{name}': '按键取表中的行：凭契约，留凭证',
  'get /hub/v1/object/{area}/{party}/{name}': '取一个对象的字节：凭契约，凭证在 Citybrain-Receipt 头中',
  'get /hub/v1/resources': '询问者提供的、或有契约可用的资源',
  'get /hub/v1/outcome/{index}': '按意向叶子的编号取对象使用的结果及其盐，只给这次使用的双方',
  'get /hub/v1/opening/{index}': '一片叶子的盐，只给这次使用的双方',
  'get /hub/v1/receipt/{log}/{index}': '中枢任一进程账本中的一片叶子、证明与公钥，供 citybrain verify 检验',
  'get /hub/v1/opening/{log}/{index}': '中枢任一进程账本中一片叶子的盐，只给这次使用的双方',
  'get /log/v1/checkpoint': '账本最新的检查点（C2SP signed note）',
  'get /log/v1/tile/{rest}': '账本的瓦片（C2SP tlog-tiles）',
  'get /log/v1/proof/{index}': '一片叶子在账本中的证明（C2SP tlog-proof）',
  'get /log/v1/receipt/{index}': '叶子、证明与公钥合为一个文件，供 citybrain verify 检验',
  'get /log/v1/vkey': '账本的验证公钥（C2SP vkey）',
  'get /log/v1/policy': '账本见证方的策略（C2SP tlog-policy）',
  'post /hub/v1/act/{area}/{party}/{name}': '向部门系统发指令，同一个键只做一次；部门拒绝时为 422 并附其原话',
  'get /hub/v1/catalog': '数据目录：可见的每个资源，以及谁在用、用了多少',
  'get /hub/v1/contracts': '询问者是一方的契约；view 为 mine、to-sign、in-force 或 history',
  'post /hub/v1/contracts': '起草一份契约',
  'get /hub/v1/contracts/unfit': '询问者的契约中与资源已不相符、因而失效的',
  'get /hub/v1/contracts/{area}/{index}': '一份契约的全文与经过',
  'post /hub/v1/contracts/{area}/{index}/{event}': '契约的一步：change、offer、sign、suspend、resume、revoke、withdraw、confirm',
  'post /hub/v1/publish/': '数据流的提供方送来的行',
  'post /VIID/System/Register': '相机注册',
  'post /VIID/System/Keepalive': '相机保活',
  'post /VIID/System/UnRegister': '相机注销',
  'get /VIID/System/Time': '给相机的时钟',
  'post /VIID/MotorVehicles': '过车记录，成批',
  'post /VIID/SubscribeNotifications': '另一平台转来的过车记录',
  'get /cockpit/v1/areas': '询问者的区域及其边界',
  'get /cockpit/v1/indicators': '一个区域的全部指标与最新值',
  'get /cockpit/v1/history': '一个指标在一个区域的记录值',
  'get /cockpit/v1/ranking': '一个区域的道路，最慢的在前',
  'get /cockpit/v1/junctions': '区域内各路口，等待最长的在前',
  'get /cockpit/v1/road_states': '每条路段的车速、延误指数与流量',
  'get /cockpit/v1/roads': '路网（GeoJSON）；凭证在 Citybrain-Receipt 头中',
  'get /cockpit/v1/ground': '地图的水面与绿地（GeoJSON）',
  'get /cockpit/v1/zones': '限行区范围（GeoJSON）；凭证在 Citybrain-Receipt 头中',
  'get /cockpit/v1/zone_states': '各限行区内此刻与今日的车辆，按号牌类别',
  'get /cockpit/v1/sources': '一个区域的数据来源及其健康',
  'get /cockpit/v1/why': '这个数从哪来：定义、来源、契约、新鲜度与凭证',
  'get /cockpit/v1/live': '实时值，服务器推送事件（docs/cockpit.md）',
  'post /party/v1/session': '用姓名与口令登录',
  'get /party/v1/session': '谁已登录',
  'delete /party/v1/session': '退出登录',
  'get /hub/v1/uses/mine': '市民本人数据的使用记录，最新的在前',
  'get /case/v1/cases': '询问者可见的事件，最新的在前',
  'get /case/v1/cases/{id}': '一个事件及其经过',
  'get /case/v1/live': '可见的事件有变化时，服务器推送事件',
  'get /case/v1/posts': '可以交办的岗位',
  'post /case/v1/cases/{id}/{step}': '事件的一步：assign、start、comment、close、reopen',
  'post /hub/v1/correction': '告诉提供方：其数据有误或不全',
  'post /case/v1/objection': '市民对一次使用本人数据提出异议',
  'get /health': '程序是否在运行',
  'get /healthz': '程序的主循环是否在转',
  'get /readyz': '现在能否接流量；503 时说明还缺什么',
  'get /metrics': '运行指标（Prometheus 文本），限运维角色',
  'get /': '驾驶舱页面',
  'get /assets/{rest}': '页面的静态文件',
  'get /{file}': '页面的静态文件',
  'get /docs/openapi.json': '本接口说明（OpenAPI 3.1）',
};
const streams = 'post /hub/v1/publish/'; // one route a stream: its name follows

export const worded = Object.keys(zh);

export function routeWords(id: string): { zh: string } | null {
  const words = zh[id] ?? (id.startsWith(streams) ? zh[streams] : undefined);
  return words ? { zh: words } : null;
}

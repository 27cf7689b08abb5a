// The parts of ECharts that the cockpit draws with, and no more. Loaded on demand.
import { LineChart } from 'echarts/charts';
import { GridComponent, TooltipComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';

use([LineChart, GridComponent, TooltipComponent, CanvasRenderer]);
export { init };
export type { ECharts, EChartsCoreOption } from 'echarts/core';
